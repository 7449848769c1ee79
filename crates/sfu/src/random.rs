//! Unguessable ids and bearer secrets from the operating system's randomness.

use aws_lc_rs::rand;

use crate::error::SfuError;

/// `N` random bytes as lower-case hexadecimal digits.
pub(crate) fn hex_id<const N: usize>() -> Result<String, SfuError> {
    let mut bytes = [0_u8; N];
    rand::fill(&mut bytes).map_err(|_| SfuError::NoRandomness)?;
    Ok(hex(&bytes))
}

/// A random 15-bit number: where the sequence numbers towards a player start (RFC 3711 §3.3.1 wants the
/// first one well below the first roll-over).
pub(crate) fn sequence_start() -> Result<u16, SfuError> {
    let mut bytes = [0_u8; 2];
    rand::fill(&mut bytes).map_err(|_| SfuError::NoRandomness)?;
    Ok(u16::from_be_bytes(bytes) & 0x7fff)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_long_and_differ() {
        let (one, other) = (hex_id::<16>().unwrap(), hex_id::<16>().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
        assert_eq!(hex(&[0x0f, 0xa0]), "0fa0");
    }
}
