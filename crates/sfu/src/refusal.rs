//! Every way an HTTP request is refused, with its status and stable code, in one table.

use axum::http::StatusCode;

/// Why a request of a client was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no bearer was presented, or it is unknown, expired or revoked")]
    Unauthorized,
    #[error("this bearer does not allow that")]
    Forbidden,
    #[error("there is no such session")]
    UnknownSession,
    #[error("there is no such stream in this room")]
    UnknownStream,
    #[error("this stream has not started yet")]
    StreamNotLive,
    #[error("only application/sdp can be answered")]
    NotAcceptable,
    #[error("this content type is not understood here")]
    ContentType,
    #[error("the session description is malformed")]
    MalformedSdp,
    #[error("the session description asks for something this server does not do")]
    UnsupportedSdp,
    #[error("the ICE fragment is malformed")]
    MalformedFragment,
    #[error("the request is malformed")]
    MalformedRequest,
    #[error("an If-Match header is needed")]
    PreconditionRequired,
    #[error("the ICE session has changed; the entity tag is an old one")]
    PreconditionFailed,
    #[error("the session has no such slot")]
    UnknownSlot,
    #[error("this session has no slots; it plays one stream")]
    NoSlots,
    #[error("a stream fills one slot of each kind, no more")]
    StreamTwice,
    #[error("the body of the request did not arrive in time")]
    TooSlow,
    #[error("too many requests")]
    TooManyRequests,
    #[error("the room is full")]
    RoomFull,
    #[error("the server is stopping or overloaded")]
    Unavailable,
}

impl Refusal {
    /// HTTP status (RFC 9725 §4, RFC 9110).
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::UnknownSession | Self::UnknownStream => StatusCode::NOT_FOUND,
            Self::StreamNotLive | Self::NoSlots => StatusCode::CONFLICT,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::MalformedSdp | Self::MalformedFragment | Self::MalformedRequest => StatusCode::BAD_REQUEST,
            Self::UnsupportedSdp | Self::UnknownSlot | Self::StreamTwice => StatusCode::UNPROCESSABLE_ENTITY,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::RoomFull | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Stable dotted code in the body of the response.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unauthorized => "sfu.http.unauthorized",
            Self::Forbidden => "sfu.http.forbidden",
            Self::UnknownSession => "sfu.http.unknown_session",
            Self::UnknownStream => "sfu.http.unknown_stream",
            Self::StreamNotLive => "sfu.http.stream_not_live",
            Self::NotAcceptable => "sfu.http.not_acceptable",
            Self::ContentType => "sfu.http.content_type",
            Self::MalformedSdp => "sfu.http.malformed_sdp",
            Self::UnsupportedSdp => "sfu.http.unsupported_sdp",
            Self::MalformedFragment => "sfu.http.malformed_fragment",
            Self::MalformedRequest => "sfu.http.malformed_request",
            Self::PreconditionRequired => "sfu.http.precondition_required",
            Self::PreconditionFailed => "sfu.http.precondition_failed",
            Self::UnknownSlot => "sfu.http.unknown_slot",
            Self::NoSlots => "sfu.http.no_slots",
            Self::StreamTwice => "sfu.http.stream_twice",
            Self::TooSlow => "sfu.http.too_slow",
            Self::TooManyRequests => "sfu.http.too_many_requests",
            Self::RoomFull => "sfu.http.room_full",
            Self::Unavailable => "sfu.http.unavailable",
        }
    }

    /// Seconds after which trying again is sensible.
    pub(crate) fn retry_after_seconds(self) -> Option<u32> {
        match self {
            Self::StreamNotLive | Self::TooManyRequests => Some(1),
            Self::RoomFull | Self::Unavailable => Some(5),
            _ => None,
        }
    }
}
