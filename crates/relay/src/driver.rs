//! Runs the machine: clock, randomness, wake-ups and the SFU. No rule of the relay lives here.

#[cfg(feature = "danger-hostile-relay")]
mod hostile;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[cfg(not(feature = "danger-hostile-relay"))]
use incamera_relay_proto::ClientMessage;
use incamera_types::{Entropy, Mono, Now};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::Notify;

use crate::access::SfuGate;
#[cfg(feature = "danger-hostile-relay")]
use crate::hostility::HostilityStage;
use crate::{ConnectionId, Origin, RelayError, RelayInput, RelayMachine, RelayOutput, RelayStats};

/// The machine and what wakes the tasks around it.
pub(crate) struct RelayDriver {
    state: Mutex<State>,
    timer: Notify,
    started: Instant,
    sfu: SfuGate,
}

struct State {
    machine: RelayMachine,
    #[cfg(feature = "danger-hostile-relay")]
    hostility: Option<HostilityStage>,
    #[cfg(feature = "danger-record")]
    recorder: Option<crate::recorder::Recorder>,
    entropy: OsEntropy,
    wakers: HashMap<ConnectionId, Arc<Notify>>,
    next_connection: u64,
}

struct OsEntropy(SystemRandom);

impl Entropy for OsEntropy {
    /// Ends the process when the operating system gives no randomness: ids that can be guessed would be worse,
    /// and `start` has checked that it does.
    fn fill(&mut self, out: &mut [u8]) {
        if self.0.fill(out).is_err() {
            tracing::error!("the operating system gives no random numbers any more");
            std::process::abort();
        }
    }
}

impl RelayDriver {
    /// Wraps a machine.
    pub(crate) fn new(machine: RelayMachine, sfu: SfuGate) -> Result<Arc<Self>, RelayError> {
        let random = SystemRandom::new();
        random.fill(&mut [0; 16]).map_err(|_| RelayError::NoRandomness)?;
        let state = State {
            machine,
            #[cfg(feature = "danger-hostile-relay")]
            hostility: None,
            #[cfg(feature = "danger-record")]
            recorder: None,
            entropy: OsEntropy(random),
            wakers: HashMap::new(),
            next_connection: 0,
        };
        Ok(Arc::new(Self { state: Mutex::new(state), timer: Notify::new(), started: Instant::now(), sfu }))
    }

    /// Registers a new connection; the notification tells when [`RelayDriver::poll_message`] has something.
    pub(crate) fn connect(&self, origin: Origin) -> (ConnectionId, Arc<Notify>) {
        let waker = Arc::new(Notify::new());
        let connection = {
            let mut state = self.lock();
            state.next_connection += 1;
            let connection = ConnectionId(state.next_connection);
            state.wakers.insert(connection, Arc::clone(&waker));
            connection
        };
        self.input(RelayInput::Connected { connection, origin });
        (connection, waker)
    }

    /// Forgets a connection.
    pub(crate) fn disconnect(&self, connection: ConnectionId) {
        self.input(RelayInput::Disconnected { connection });
        let mut state = self.lock();
        state.wakers.remove(&connection);
        #[cfg(feature = "danger-hostile-relay")]
        if let Some(stage) = &mut state.hostility {
            stage.forget(connection);
        }
    }

    /// Hands an input to the machine and does what it wants done.
    pub(crate) fn input(&self, input: RelayInput) {
        let now = self.now();
        let mut state = self.lock();
        let State { machine, entropy, wakers, .. } = &mut *state;
        machine.handle_input(now, entropy, input);
        while let Some(output) = machine.poll_output() {
            match output {
                RelayOutput::Wake(connection) => {
                    if let Some(waker) = wakers.get(&connection) {
                        waker.notify_one();
                    }
                }
                RelayOutput::Grant(grant) => {
                    let access = self.sfu.grant(&grant);
                    machine.handle_input(now, entropy, RelayInput::Granted { grant: grant.grant, access });
                }
                RelayOutput::Revoke { room, identity } => self.sfu.revoke(room, identity),
                RelayOutput::EndSfuRoom(room) => self.sfu.end_room(room),
            }
        }
        drop(state);
        self.timer.notify_one();
    }

    #[cfg(not(feature = "danger-hostile-relay"))]
    pub(crate) fn poll_message(&self, connection: ConnectionId) -> crate::Transmit {
        self.lock().machine.poll_message(connection)
    }

    #[cfg(not(feature = "danger-hostile-relay"))]
    pub(crate) fn receive(&self, connection: ConnectionId, message: ClientMessage, wire_bytes: usize) {
        self.input(RelayInput::Received { connection, message, wire_bytes });
    }

    /// How long to wait before the connection's next message is read.
    pub(crate) fn read_delay(&self, connection: ConnectionId) -> Duration {
        let now = self.now().mono;
        self.lock().machine.read_again_at(connection).since(now)
    }

    pub(crate) fn stats(&self) -> RelayStats {
        self.lock().machine.stats()
    }

    /// The room's name at the SFU.
    #[cfg(feature = "danger-hostile-sfu")]
    pub(crate) fn sfu_room(&self, room: incamera_types::RoomId) -> Option<crate::SfuRoom> {
        self.lock().machine.sfu_room(room)
    }

    #[cfg(feature = "danger-record")]
    pub(crate) fn set_recorder(&self, recorder: crate::recorder::Recorder) {
        self.lock().recorder = Some(recorder);
    }

    #[cfg(feature = "danger-record")]
    pub(crate) fn record(&self, sender: crate::RecordedSender, message: &[u8]) {
        if let Some(recorder) = &mut self.lock().recorder {
            recorder.record(sender, message);
        }
    }

    pub(crate) const fn sfu(&self) -> &SfuGate {
        &self.sfu
    }

    /// Tells the machine when a deadline has passed, until dropped.
    pub(crate) async fn run_timer(self: Arc<Self>) {
        loop {
            let next = self.lock().machine.poll_timeout();
            let wait = next.map(|at| at.since(self.now().mono));
            match wait {
                Some(Duration::ZERO) => self.input(RelayInput::TimePassed),
                Some(wait) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => self.input(RelayInput::TimePassed),
                        () = self.timer.notified() => {}
                    }
                }
                None => self.timer.notified().await,
            }
        }
    }

    fn now(&self) -> Now {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: Mono::from_micros(micros), unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
