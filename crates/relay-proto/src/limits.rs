//! Largest value of every variable field. A relay may be configured to allow less, never more.

/// Blobs are padded to multiples of this many bytes (wire.md §8), so that their sizes tell little.
pub const BLOB_STEP: usize = 512;
/// Largest blob of any kind: a Welcome with the ratchet tree of a thousand members fits twice.
pub const BLOB: usize = 1024 * 1024;
/// Largest blob in the commit lane: the longest commit, padded.
pub const COMMIT_BLOB: usize = incamera_types::MAX_COMMIT_BYTES + 2 * BLOB_STEP;
/// Largest blob in the application lane: chat, heartbeats and announcements.
pub const APPLICATION_BLOB: usize = 32 * 1024;
/// Largest knock: a key package with an identity credential and its certificate chain.
pub const KNOCK_BLOB: usize = 32 * 1024;
/// Largest message on the wire: the largest blob and its envelope.
pub const MESSAGE: usize = BLOB + 256;
/// Largest encoded card.
pub const CARD: usize = 1_024;
/// Largest delegation inside a card.
pub const DELEGATION: usize = 512;
/// Longest time a card may be valid, in milliseconds (wire.md §8: at most one hour).
pub const CARD_VALIDITY_MS: u64 = 3_600_000;
/// Longest token that permits to create a room.
pub const CREATE_TOKEN: usize = 128;
/// Most ticket identities that one rotation revokes.
pub const REVOKED_TICKETS: usize = 64;
/// Longest URL in a ticket.
pub const URL: usize = 512;
/// Longest secret text (bearer, TURN credential, pin) in a ticket.
pub const SECRET_TEXT: usize = 1_024;
/// Longest TURN user name.
pub const ICE_USERNAME: usize = 256;
/// Most ICE servers in a ticket.
pub const ICE_SERVERS: usize = 8;
/// Most URLs of one ICE server.
pub const ICE_URLS: usize = 8;
