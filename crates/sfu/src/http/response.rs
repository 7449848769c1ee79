//! Responses that several resources share.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::config::IceServer;
use crate::refusal::Refusal;

pub(super) const SDP: &str = "application/sdp";
pub(super) const ICE_FRAGMENT: &str = "application/trickle-ice-sdpfrag";
pub(super) const JSON: &str = "application/json";

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
const REQUEST_HEADERS: &str = "authorization, content-type, if-match, if-none-match";
const EXPOSED_HEADERS: &str = "location, etag, link, accept-patch, retry-after";

#[derive(Serialize)]
struct Problem {
    code: &'static str,
    message: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = Problem { code: self.code(), message: self.to_string() };
        let mut response = (self.status(), Json(problem)).into_response();
        let headers = response.headers_mut();
        if self == Self::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// CORS preflight of an endpoint that takes offers (RFC 9725 §4.1 asks for `Accept-Post`).
pub(super) async fn preflight_sdp() -> impl IntoResponse {
    let accept_post = (HeaderName::from_static("accept-post"), SDP);
    (StatusCode::NO_CONTENT, [accept_post])
}

/// CORS preflight of any other resource.
pub(super) async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// A path that is no resource.
pub(super) async fn nothing_here() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// Lets pages of any origin use the API: a page needs a bearer, and browsers attach none by themselves.
pub(super) async fn allow_any_origin(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS),
        // Answers carry credentials of ICE sessions.
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Appends a `Link` header, unless its text cannot be one.
pub(super) fn add_link(headers: &mut HeaderMap, target: &str, relation: &str) {
    append(headers, &format!("<{target}>; rel=\"{relation}\""));
}

/// Announces an ICE server (RFC 9725 §4.6).
pub(super) fn add_ice_server(headers: &mut HeaderMap, server: &IceServer) {
    let mut link = format!("<{}>; rel=\"ice-server\"", server.url);
    if let Some(login) = &server.login {
        link.push_str(&format!(
            "; username=\"{}\"; credential=\"{}\"; credential-type=\"password\"",
            quoted(&login.username),
            quoted(&login.credential)
        ));
    }
    append(headers, &link);
}

fn append(headers: &mut HeaderMap, link: &str) {
    match HeaderValue::from_str(link) {
        Ok(value) => drop(headers.append(header::LINK, value)),
        Err(_) => tracing::warn!("a link header could not be written"),
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// An entity tag header value.
pub(super) fn entity_tag(tag: &str) -> String {
    format!("\"{tag}\"")
}
