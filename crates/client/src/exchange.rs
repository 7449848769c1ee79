//! Devices that change while they are used: chosen anew, switched off and on, unplugged and plugged in again. What is
//! behind them, encoders and streams, does not notice.

mod heard;
mod opener;
mod seen;
mod speaker;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use incamera_devices::{DeviceError, DeviceId};
use incamera_types::{Fault as _, Mono};
use tokio::sync::mpsc::UnboundedSender;

use crate::event::{Device, Event, LocalEvent, Problem, Which};

pub(crate) use heard::Heard;
pub use opener::Opener;
pub(crate) use seen::Seen;
pub(crate) use speaker::Loud;

/// A device that cannot be opened is tried again after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What an [`Exchange`] is told.
pub(crate) enum Order<T: ?Sized> {
    /// Use this from now on; `None` closes what is open.
    Use(Option<Opener<T>>),
    /// These devices are there now.
    Present(Arc<BTreeSet<DeviceId>>),
}

/// A place where one device is plugged in at a time. Opening happens on a thread of its own.
pub(crate) struct Exchange<T: ?Sized> {
    device: Device,
    present: Option<Box<T>>,
    /// What was plugged in is a recording that came to its end, and nothing was chosen since.
    has_ended: bool,
    which: Which,
    opener: Option<Opener<T>>,
    opening: Option<Receiver<Opened<T>>>,
    again: Option<Mono>,
    /// Why there is no device, as it was told: the same reason is told once.
    told: Option<&'static str>,
    /// What was there when that changed last, until the device that is plugged in was compared with it.
    there: Option<Arc<BTreeSet<DeviceId>>>,
    orders: Receiver<Order<T>>,
    events: UnboundedSender<Event>,
}

type Opened<T> = Result<(Box<T>, Which), DeviceError>;

impl<T: ?Sized + Send + 'static> Exchange<T> {
    /// Begins with `present`, which cannot be opened again.
    pub(crate) fn new(
        device: Device,
        present: Option<Box<T>>,
        events: UnboundedSender<Event>,
    ) -> (Self, Sender<Order<T>>) {
        let (sender, orders) = channel();
        let exchange = Self {
            device,
            present,
            has_ended: false,
            which: Which::Chosen,
            opener: None,
            opening: None,
            again: None,
            told: None,
            there: None,
            orders,
            events,
        };
        (exchange, sender)
    }

    /// The device that is plugged in now, if there is one.
    fn at(&mut self, now: Mono) -> Option<&mut Box<T>> {
        // Without anybody who gives orders the meeting is ending.
        while let Ok(order) = self.orders.try_recv() {
            self.order(now, order);
        }
        self.finish_opening(now);
        self.look_around(now);
        if self.present.is_none() && self.opening.is_none() && self.again.is_some_and(|again| again <= now) {
            self.begin_opening();
        }
        self.present.as_mut()
    }

    fn order(&mut self, now: Mono, order: Order<T>) {
        match order {
            Order::Use(opener) => {
                self.present = None;
                self.has_ended = false;
                self.opening = None;
                self.told = None;
                self.again = opener.is_some().then_some(now);
                self.opener = opener;
            }
            Order::Present(devices) => {
                self.there = Some(devices);
                // It may be what is waited for.
                self.again = self.again.map(|again| again.min(now));
            }
        }
    }

    /// Uses what stands for the chosen device when that was unplugged, and the chosen one when it is back. While one is being
    /// opened there is nothing to compare yet.
    fn look_around(&mut self, now: Mono) {
        let Some(there) = self.there.take_if(|_| self.present.is_some()) else { return };
        let Some(chosen) = self.opener.as_ref().and_then(Opener::device) else { return };
        let wanted = if there.contains(chosen) { Which::Chosen } else { Which::Instead };
        if self.which != wanted {
            self.present = None;
            self.again = Some(now);
        }
    }

    fn begin_opening(&mut self) {
        let Some(opener) = self.opener.clone() else { return };
        self.again = None;
        let (sender, opened) = channel();
        // Nobody waits any more when something else was chosen meanwhile: it is closed again.
        let open = move || drop(sender.send(opener.open_any()));
        let spawned = std::thread::Builder::new().name("device-opening".to_owned()).spawn(open);
        // A thread that does not start drops its sender, which is noticed where the device is awaited.
        drop(spawned);
        self.opening = Some(opened);
    }

    fn finish_opening(&mut self, now: Mono) {
        let opened = match self.opening.as_ref().map(Receiver::try_recv) {
            None | Some(Err(TryRecvError::Empty)) => return,
            Some(Ok(opened)) => opened,
            Some(Err(TryRecvError::Disconnected)) => {
                Err(DeviceError::Thread(std::io::ErrorKind::ResourceBusy))
            }
        };
        self.opening = None;
        match opened {
            Ok((device, which)) => {
                self.present = Some(device);
                self.which = which;
                self.told = None;
                self.tell(LocalEvent::DeviceOpened { device: self.device, which });
            }
            Err(error) => self.failed(now, &error),
        }
    }

    /// What is plugged in failed: it is opened again, or what stands for it, at once and then every second. An error of
    /// what cannot be opened again goes on to whoever drives it.
    fn lost(&mut self, now: Mono, error: DeviceError) -> Result<(), DeviceError> {
        if self.opener.is_none() {
            return Err(error);
        }
        self.present = None;
        self.failed(now, &error);
        self.again = Some(now);
        Ok(())
    }

    fn failed(&mut self, now: Mono, error: &DeviceError) {
        self.again = Some(now.plus(RETRY_AFTER));
        if self.told.replace(error.code()) != Some(error.code()) {
            self.tell(LocalEvent::DeviceLost { device: self.device, problem: Problem::of(error) });
        }
    }

    fn tell(&self, event: LocalEvent) {
        // Nobody listens: the meeting is over.
        let _ = self.events.send(event.into());
    }
}
