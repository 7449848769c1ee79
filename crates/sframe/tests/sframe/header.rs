//! The SFrame header: all vectors of RFC 9605, and what is no header.

use incamera_sframe::{Header, HeaderError, MAX_HEADER_BYTES};
use proptest::prelude::*;

const VECTORS: &str = include_str!("../../../../tests/vectors/sframe-rfc9605.json");

fn encoded(header: Header) -> Vec<u8> {
    let mut out = [0; MAX_HEADER_BYTES];
    let len = header.encode(&mut out);
    out[..len].to_vec()
}

#[test]
fn all_rfc_header_vectors_encode_and_parse() {
    let file: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let vectors = file["header"].as_array().unwrap();
    assert_eq!(vectors.len(), 289);
    for vector in vectors {
        let header =
            Header { kid: vector["kid"].as_u64().unwrap(), counter: vector["ctr"].as_u64().unwrap() };
        let bytes = hex::decode(vector["encoded"].as_str().unwrap()).unwrap();
        assert_eq!(encoded(header), bytes);
        assert_eq!(Header::parse(&bytes), Ok((header, bytes.len())));
        for short in 0..bytes.len() {
            assert_eq!(Header::parse(&bytes[..short]), Err(HeaderError::Truncated));
        }
    }
}

#[test]
fn longer_forms_of_a_value_are_refused() {
    let longer: [&[u8]; 5] = [
        &[0x80, 0x07],                   // fits into the config byte
        &[0x08, 0x00],                   // the same for the counter
        &[0x90, 0x00, 0xff],             // leading zero
        &[0x09, 0x00, 0x08],             // the same for the counter
        &[0xf0, 0, 0, 0, 0, 0, 0, 0, 0], // zero in eight bytes
    ];
    for bytes in longer {
        assert_eq!(Header::parse(bytes), Err(HeaderError::NotShortest), "{bytes:02x?}");
    }
}

proptest! {
    #[test]
    fn what_parses_is_the_only_encoding_of_its_values(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
        if let Ok((header, len)) = Header::parse(&bytes) {
            prop_assert_eq!(&encoded(header)[..], &bytes[..len]);
        }
    }

    #[test]
    fn every_header_reads_back(kid: u64, counter: u64, shift in 0_u32..64) {
        let header = Header { kid: kid >> shift, counter: counter >> (63 - shift) };
        let bytes = encoded(header);
        prop_assert_eq!(Header::parse(&bytes), Ok((header, bytes.len())));
    }
}
