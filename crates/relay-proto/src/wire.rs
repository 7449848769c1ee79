//! Reading and writing of the primitive fields.

use crate::FORMAT;

/// Why bytes are not a message of this crate, or why a value cannot be written as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It ends before the named field does.
    #[error("the message ends inside the field {0}")]
    Truncated(&'static str),
    /// Bytes follow the last field.
    #[error("the message has bytes after its last field")]
    Trailing,
    /// Made by another version.
    #[error("the message has format {0}, which this version does not know")]
    Format(u8),
    /// A kind of message that does not exist.
    #[error("the message is of the unknown kind {0}")]
    Kind(u8),
    /// The named field is longer than its limit.
    #[error("the field {0} is longer than allowed")]
    TooLong(&'static str),
    /// The named field has a value that does not exist.
    #[error("the field {0} has a value that is not allowed")]
    Invalid(&'static str),
}

/// Takes fields off the front of a message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// A reader behind the format byte, and the kind of the message.
    pub(crate) fn message(bytes: &'a [u8]) -> Result<(Self, u8), WireError> {
        let mut reader = Self::new(bytes);
        let format = reader.u8("format")?;
        if format != FORMAT {
            return Err(WireError::Format(format));
        }
        let kind = reader.u8("kind")?;
        Ok((reader, kind))
    }

    pub(crate) fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Trailing) }
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(WireError::Truncated(field))?;
        self.rest = tail;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, WireError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, WireError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, WireError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Bytes behind a 32-bit length of at most `limit`.
    pub(crate) fn bytes(&mut self, field: &'static str, limit: usize) -> Result<&'a [u8], WireError> {
        let len = usize::try_from(self.u32(field)?).map_err(|_| WireError::TooLong(field))?;
        if len > limit {
            return Err(WireError::TooLong(field));
        }
        let (head, tail) = self.rest.split_at_checked(len).ok_or(WireError::Truncated(field))?;
        self.rest = tail;
        Ok(head)
    }

    /// Printable ASCII text of at most `limit` bytes: URLs, tokens and names that programs made.
    pub(crate) fn text(&mut self, field: &'static str, limit: usize) -> Result<String, WireError> {
        let bytes = self.bytes(field, limit)?;
        if !bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return Err(WireError::Invalid(field));
        }
        Ok(bytes.iter().map(|&byte| char::from(byte)).collect())
    }

    /// A one-byte presence mark and, when it is 1, the value.
    pub(crate) fn option<T>(
        &mut self,
        field: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        match self.u8(field)? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(WireError::Invalid(field)),
        }
    }

    /// A 16-bit count of at most `limit` and that many values.
    pub(crate) fn list<T>(
        &mut self,
        field: &'static str,
        limit: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let count = usize::from(self.u16(field)?);
        if count > limit {
            return Err(WireError::TooLong(field));
        }
        (0..count).map(|_| read(self)).collect()
    }
}

/// Appends fields to a message; remembers the first field that is over its limit.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    refused: Option<WireError>,
}

impl Writer {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), refused: None }
    }

    pub(crate) fn message(kind: u8) -> Self {
        let mut writer = Self::new();
        writer.array(&[FORMAT, kind]);
        writer
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, WireError> {
        self.refused.map_or(Ok(self.bytes), Err)
    }

    pub(crate) fn refuse(&mut self, error: WireError) {
        self.refused.get_or_insert(error);
    }

    pub(crate) fn array(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.array(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.array(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.array(&value.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, field: &'static str, limit: usize, value: &[u8]) {
        match u32::try_from(value.len()) {
            Ok(len) if value.len() <= limit => {
                self.u32(len);
                self.array(value);
            }
            _ => self.refuse(WireError::TooLong(field)),
        }
    }

    pub(crate) fn text(&mut self, field: &'static str, limit: usize, value: &str) {
        if !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            self.refuse(WireError::Invalid(field));
        }
        self.bytes(field, limit, value.as_bytes());
    }

    pub(crate) fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn list<T>(
        &mut self,
        field: &'static str,
        limit: usize,
        values: &[T],
        mut write: impl FnMut(&mut Self, &T),
    ) {
        match u16::try_from(values.len()) {
            Ok(count) if values.len() <= limit => {
                self.u16(count);
                for value in values {
                    write(self, value);
                }
            }
            _ => self.refuse(WireError::TooLong(field)),
        }
    }
}
