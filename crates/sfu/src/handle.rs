//! The API for the program that embeds the SFU.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use incamera_types::RoomId;
use tokio::sync::{mpsc, oneshot};

use crate::command::{Control, Request, RoomControl};
use crate::config::SfuConfig;
use crate::driver::{LossReport, SfuDriver};
use crate::error::SfuError;
use crate::grant::{BearerSecret, GrantRequest, SharedGrants};
use crate::http;
use crate::machine::SfuMachine;
use crate::pseudonym::Pseudonym;
use crate::sockets;
use crate::stats::SfuStats;

/// Requests of HTTP clients that may wait for the task; more are refused with 503.
const REQUEST_QUEUE: usize = 1_024;

/// The embedded SFU. See [`Sfu::start`].
pub struct Sfu;

/// Talks to a running SFU; clones share it. The SFU ends with [`SfuHandle::stop`], or when all handles and
/// routers are gone.
#[derive(Clone)]
pub struct SfuHandle {
    shared: Arc<Shared>,
}

/// What handles and HTTP handlers have in common.
pub(crate) struct Shared {
    pub(crate) config: SfuConfig,
    pub(crate) grants: SharedGrants,
    pub(crate) requests: mpsc::Sender<Request>,
    controls: mpsc::UnboundedSender<Control>,
    local: Vec<SocketAddr>,
    pub(crate) polls: http::PollLimit,
}

impl Sfu {
    /// Binds the sockets and starts the SFU's task on the current Tokio runtime.
    ///
    /// # Errors
    /// [`SfuError::NoAddress`], [`SfuError::Bind`] or [`SfuError::UnusableAddress`] when the configured
    /// addresses cannot be used.
    ///
    /// # Panics
    /// Outside a Tokio runtime with IO and time enabled.
    pub fn start(config: SfuConfig) -> Result<SfuHandle, SfuError> {
        let sockets = sockets::bind_all(&config)?;
        let advertised = sockets.iter().map(|s| s.advertised.clone()).collect();
        let local = sockets.iter().map(|s| s.local).collect();
        let (requests, request_queue) = mpsc::channel(REQUEST_QUEUE);
        let (controls, control_queue) = mpsc::unbounded_channel();
        let now = Instant::now();
        let grants = SharedGrants::new(config.limits.clone());
        let machine = SfuMachine::new(now, config.limits.clone(), grants.clone(), advertised);
        #[cfg(feature = "danger-record")]
        let machine = {
            let path = config.recording.as_deref();
            machine.recording_to(path.map(crate::recorder::Recorder::create).transpose()?)
        };
        let driver = SfuDriver {
            machine,
            sockets,
            requests: request_queue,
            controls: control_queue,
            losses: LossReport::default(),
        };
        tokio::spawn(driver.run());
        let shared = Shared { grants, config, requests, controls, local, polls: http::PollLimit::default() };
        Ok(SfuHandle { shared: Arc::new(shared) })
    }
}

impl SfuHandle {
    /// The HTTP resources of `docs/wire.md`, section "Embedded SFU", to be nested under any path.
    ///
    /// Limits per client address need `axum::extract::ConnectInfo<SocketAddr>` in the requests
    /// (`into_make_service_with_connect_info`); without it they count all clients as one for the rate of offers, and
    /// the limit of connections per address does not apply.
    pub fn router(&self) -> Router {
        http::router(Arc::clone(&self.shared))
    }

    /// Makes a bearer.
    ///
    /// # Errors
    /// [`SfuError::TooManyGrants`] beyond the limits, [`SfuError::NoRandomness`].
    pub fn grant(&self, request: GrantRequest) -> Result<BearerSecret, SfuError> {
        self.shared.grants.lock().grant(Instant::now(), request)
    }

    /// Ends all bearers and all connections of `identity` in `room`, at once.
    pub fn revoke(&self, room: RoomId, identity: &Pseudonym) {
        self.shared.grants.lock().revoke(&room, identity);
        let identity = identity.clone();
        self.control(Control::Room(RoomControl::Revoke { room, identity }));
    }

    /// Ends all bearers and all connections of `room`, at once.
    pub fn end_room(&self, room: RoomId) {
        self.shared.grants.lock().end_room(&room);
        self.control(Control::Room(RoomControl::End { room }));
    }

    /// The first bound UDP address.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local[0]
    }

    /// All bound UDP addresses, in the order of the configuration.
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.shared.local
    }

    /// A snapshot of what the SFU does.
    ///
    /// # Errors
    /// [`SfuError::Stopped`].
    pub async fn stats(&self) -> Result<SfuStats, SfuError> {
        let (reply, answer) = oneshot::channel();
        self.control(Control::Stats { reply });
        let mut stats = answer.await.map_err(|_| SfuError::Stopped)?;
        stats.grants = self.shared.grants.lock().len();
        Ok(stats)
    }

    /// Makes the SFU attack `room` from now on, or stops that.
    #[cfg(feature = "danger-hostile-sfu")]
    pub fn set_hostility(&self, room: RoomId, hostility: Option<crate::Hostility>) {
        self.control(Control::Room(RoomControl::Hostility { room, hostility }));
    }

    /// Tells all clients goodbye, closes the sockets and ends the task. Harmless when already stopped.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        self.control(Control::Stop { done });
        // An error means that the task is gone: what was asked for.
        drop(stopped.await);
    }

    fn control(&self, control: Control) {
        if self.shared.controls.send(control).is_err() {
            tracing::debug!("the SFU has stopped");
        }
    }
}
