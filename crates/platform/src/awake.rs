//! Keeps the computer awake: its screen by the idle inhibition specification of freedesktop.org, the computer itself by
//! systemd's inhibitor locks. Both end with this process, however it ends.

use std::future::pending;
use std::time::Duration;

use futures_util::StreamExt as _;
use zbus::OwnedFd;

use crate::bus::{self, APPLICATION};

#[zbus::proxy(
    interface = "org.freedesktop.ScreenSaver",
    default_service = "org.freedesktop.ScreenSaver",
    default_path = "/org/freedesktop/ScreenSaver"
)]
trait ScreenSaver {
    fn inhibit(&self, application: &str, reason: &str) -> zbus::Result<u32>;
    fn un_inhibit(&self, cookie: u32) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait Login {
    fn inhibit(&self, what: &str, who: &str, why: &str, mode: &str) -> zbus::Result<OwnedFd>;
    #[zbus(signal)]
    fn prepare_for_sleep(&self, start: bool) -> zbus::Result<()>;
}

/// A computer that falls asleep waits so long after that was told, so that devices are closed by then. The system allows
/// 5 s as a rule.
const NOTICE: Duration = Duration::from_millis(500);

/// Keeps screen and computer from sleeping by themselves until `over`; `why` is what the desktop shows to whoever puts it to
/// sleep. `falls_asleep` is told when it is about to sleep all the same, because somebody closes its lid say.
pub async fn stay_awake(why: &str, over: impl Future<Output = ()>, falls_asleep: impl Fn()) {
    let mut awake = Awake::keep(why).await;
    let watched = async {
        loop {
            awake.next_sleep().await;
            falls_asleep();
            tokio::time::sleep(NOTICE).await;
            awake.let_sleep();
        }
    };
    tokio::select! {
        () = over => {}
        () = watched => {}
    }
    awake.let_go().await;
}

/// Neither screen nor computer go to sleep by themselves while this is there.
struct Awake {
    screen: Option<Screen>,
    computer: Option<Computer>,
}

struct Screen {
    saver: ScreenSaverProxy<'static>,
    cookie: u32,
}

struct Computer {
    login: LoginProxy<'static>,
    changes: PrepareForSleepStream,
    why: String,
    /// The system does not sleep before this is dropped.
    delay: Option<OwnedFd>,
    _block: OwnedFd,
}

impl Awake {
    /// Asks the desktop and the system.
    async fn keep(why: &str) -> Self {
        let (screen, computer) = tokio::join!(Screen::keep_on(why), Computer::keep_awake(why));
        Self {
            screen: screen.inspect_err(|why| tracing::info!(%why, "the screen may go dark")).ok(),
            computer: computer.inspect_err(|why| tracing::info!(%why, "the computer may sleep")).ok(),
        }
    }

    /// Waits until the computer is about to sleep. Where that cannot be known, it waits for ever.
    async fn next_sleep(&mut self) {
        let asleep = match &mut self.computer {
            Some(computer) => computer.next_sleep().await,
            None => None,
        };
        if asleep.is_none() {
            pending::<()>().await;
        }
    }

    /// Lets the computer fall asleep that is about to.
    fn let_sleep(&mut self) {
        if let Some(computer) = &mut self.computer {
            computer.delay = None;
        }
    }

    /// Lets the computer sleep again.
    async fn let_go(self) {
        if let Some(Screen { saver, cookie }) = self.screen
            && let Err(why) = saver.un_inhibit(cookie).await
        {
            // It forgets about us when the connection closes.
            tracing::debug!(%why, "the desktop does not say that the screen may go dark again");
        }
    }
}

impl Screen {
    async fn keep_on(why: &str) -> zbus::Result<Self> {
        let saver = ScreenSaverProxy::new(&bus::session().await?).await?;
        let cookie = saver.inhibit(APPLICATION, why).await?;
        Ok(Self { saver, cookie })
    }
}

impl Computer {
    async fn keep_awake(why: &str) -> zbus::Result<Self> {
        let login = LoginProxy::new(&bus::system().await?).await?;
        // Listened for before anything is asked, so that no sleep goes unnoticed.
        let changes = login.receive_prepare_for_sleep().await?;
        let block = login.inhibit("idle:sleep", APPLICATION, why, "block").await?;
        let mut computer = Self { login, changes, why: why.to_owned(), delay: None, _block: block };
        computer.ask_for_delay().await;
        Ok(computer)
    }

    /// Asks for the time to close devices before a sleep.
    async fn ask_for_delay(&mut self) {
        let asked = self.login.inhibit("sleep", APPLICATION, &self.why, "delay").await;
        self.delay = asked.inspect_err(|why| tracing::info!(%why, "the computer does not wait")).ok();
    }

    /// Waits until it is about to sleep; `None` when the bus is gone.
    async fn next_sleep(&mut self) -> Option<()> {
        loop {
            let signal = self.changes.next().await?;
            let Ok(args) = signal.args() else { continue };
            if args.start {
                return Some(());
            }
            // It is awake again.
            self.ask_for_delay().await;
        }
    }
}
