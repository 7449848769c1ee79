//! Which epoch an entry of the log claims to belong to: the one clear field of an MLS PrivateMessage that
//! matters before it can be opened (RFC 9420 §6.3).

use incamera_types::Epoch;

const MLS10: [u8; 2] = [0, 1];
const PRIVATE_MESSAGE: [u8; 2] = [0, 2];
/// Length byte of the 16-byte group id.
const GROUP_ID_LEN: u8 = 16;

/// The epoch in the header of a PrivateMessage of this group; `None` for anything else. Not authenticated:
/// whoever may append can write such a header.
pub(crate) fn epoch_of_entry(entry: &[u8], group: &[u8; 16]) -> Option<Epoch> {
    let (version, rest) = entry.split_first_chunk::<2>()?;
    let (format, rest) = rest.split_first_chunk::<2>()?;
    let (len, rest) = rest.split_first()?;
    let (named, rest) = rest.split_first_chunk::<16>()?;
    let (epoch, _) = rest.split_first_chunk::<8>()?;
    let ours = *version == MLS10 && *format == PRIVATE_MESSAGE && *len == GROUP_ID_LEN && named == group;
    ours.then(|| Epoch(u64::from_be_bytes(*epoch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_is_read_from_private_messages_of_the_group_alone() {
        const GROUP: [u8; 16] = [7; 16];
        let entry = [&[0, 1, 0, 2, 16][..], &[7; 16], &9_u64.to_be_bytes(), b"rest"].concat();
        assert_eq!(epoch_of_entry(&entry, &GROUP), Some(Epoch(9)));
        assert_eq!(epoch_of_entry(&entry, &[8; 16]), None);
        for end in 0..29 {
            assert_eq!(epoch_of_entry(&entry[..end], &GROUP), None);
        }
        let public = [&[0, 1, 0, 1][..], &entry[4..]].concat();
        assert_eq!(epoch_of_entry(&public, &GROUP), None);
    }
}
