//! Notifications of the desktop (Desktop Notifications Specification 1.2 of freedesktop.org).

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use ts_rs::TS;
use zbus::Variant;

use crate::bus::{self, APPLICATION};

/// Name of the desktop entry and of the icon.
const ENTRY: &str = "incamera";

/// The most characters of a title or text that are shown.
const MOST_CHARACTERS: usize = 160;

/// What a click on the notification itself is called.
const CLICK: &str = "default";

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications"
)]
trait Notifications {
    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;
    #[expect(clippy::too_many_arguments, reason = "the specification has as many")]
    fn notify(
        &self,
        application: &str,
        replaces: u32,
        icon: &str,
        title: &str,
        text: &str,
        actions: &[&str],
        hints: HashMap<&str, Variant<'_>>,
        expires_ms: i32,
    ) -> zbus::Result<u32>;
    #[zbus(signal)]
    fn action_invoked(&self, id: u32, action: String) -> zbus::Result<()>;
}

/// What a notification is about. The newest of a topic takes the place of the one before, so that nobody can fill the
/// screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Somebody asks to be let in.
    Knock,
    /// Somebody wrote.
    Chat,
    /// The computer goes to sleep, and the meeting with it.
    Sleep,
}

/// What is shown.
#[derive(Clone, Debug, Deserialize, TS)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// What it is about.
    pub topic: Topic,
    /// One line.
    pub title: String,
    /// What follows; may be empty.
    pub text: String,
}

/// Shows notifications. The desktop is asked when there is a first one.
pub struct Notices {
    service: Mutex<Option<Service>>,
    clicked: Arc<dyn Fn() + Send + Sync>,
}

/// Where the desktop shows them.
struct Service {
    proxy: NotificationsProxy<'static>,
    markup: Markup,
    shown: Arc<Mutex<Shown>>,
    clicks: JoinHandle<()>,
}

/// Whether the desktop takes some characters of a text for markup.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Markup {
    Understood,
    Shown,
}

/// The latest notification of each topic, by the number that the desktop gave it; 0 is none.
#[derive(Default)]
struct Shown {
    knock: u32,
    chat: u32,
    sleep: u32,
}

impl Notices {
    /// `clicked` is called when the person clicks on a notification.
    pub fn new(clicked: impl Fn() + Send + Sync + 'static) -> Self {
        Self { service: Mutex::new(None), clicked: Arc::new(clicked) }
    }

    /// Shows `notice`, if the desktop shows notifications at all.
    pub async fn show(&self, notice: &Notice) {
        let mut service = self.service.lock().await;
        if let Err(why) = self.try_to_show(&mut service, notice).await {
            tracing::info!(%why, "the desktop shows no notification");
            // The next one is tried with a new connection.
            *service = None;
        }
    }

    async fn try_to_show(&self, service: &mut Option<Service>, notice: &Notice) -> zbus::Result<()> {
        let service = match service {
            Some(service) => service,
            None => service.insert(Service::find(Arc::clone(&self.clicked)).await?),
        };
        service.show(notice).await
    }
}

impl Service {
    async fn find(clicked: Arc<dyn Fn() + Send + Sync>) -> zbus::Result<Self> {
        let proxy = NotificationsProxy::new(&bus::session().await?).await?;
        let capabilities = proxy.get_capabilities().await?;
        let understands = capabilities.iter().any(|capability| capability == "body-markup");
        let markup = if understands { Markup::Understood } else { Markup::Shown };
        let mut actions = proxy.receive_action_invoked().await?;
        let shown = Arc::new(Mutex::new(Shown::default()));
        let ours = Arc::clone(&shown);
        let clicks = tokio::spawn(async move {
            while let Some(signal) = actions.next().await {
                // Everybody is told of every click.
                let Ok(args) = signal.args() else { continue };
                if args.action == CLICK && ours.lock().await.has(args.id) {
                    clicked();
                }
            }
        });
        Ok(Self { proxy, markup, shown, clicks })
    }

    async fn show(&self, notice: &Notice) -> zbus::Result<()> {
        // Locked until its number is known: a click may come at once.
        let mut shown = self.shown.lock().await;
        let latest = shown.latest(notice.topic);
        // Not kept by the desktop: what is said in a meeting stays in no list.
        let hints =
            HashMap::from([("desktop-entry", Variant::from(ENTRY)), ("transient", Variant::from(true))]);
        let (title, text) = (plain(&notice.title), plain(&notice.text));
        let text = if self.markup == Markup::Understood { escaped(&text) } else { text };
        let actions = [CLICK, APPLICATION];
        *latest = self.proxy.notify(APPLICATION, *latest, ENTRY, &title, &text, &actions, hints, -1).await?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.clicks.abort();
    }
}

impl Shown {
    const fn latest(&mut self, topic: Topic) -> &mut u32 {
        match topic {
            Topic::Knock => &mut self.knock,
            Topic::Chat => &mut self.chat,
            Topic::Sleep => &mut self.sleep,
        }
    }

    const fn has(&self, id: u32) -> bool {
        id == self.knock || id == self.chat || id == self.sleep
    }
}

/// One line of ordinary characters, cut: what somebody wrote can neither break the frame of a notification nor turn the
/// direction of what stands around it.
fn plain(text: &str) -> String {
    let is_ordinary = |letter: &char| !is_turning(*letter);
    let line = text.chars().filter(is_ordinary).map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut line: String = line.take(MOST_CHARACTERS + 1).collect();
    if let Some((at, _)) = line.char_indices().nth(MOST_CHARACTERS) {
        line.truncate(at);
        line.push('…');
    }
    line
}

/// Whether it changes the direction of what follows (Unicode Standard Annex 9, explicit formatting characters).
const fn is_turning(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text for a desktop that would take a part of it for markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_is_one_line_and_cut() {
        assert_eq!(plain("a\nb\t\u{1b}[1mc"), "a b  [1mc");
        assert_eq!(plain("\u{202e}evil\u{2066}"), "evil");
        let long = plain(&"ä".repeat(10_000));
        assert_eq!((long.chars().count(), long.chars().last()), (MOST_CHARACTERS + 1, Some('…')));
        assert_eq!(plain(&"b".repeat(MOST_CHARACTERS)), "b".repeat(MOST_CHARACTERS));
    }

    #[test]
    fn markup_is_shown_and_not_obeyed() {
        assert_eq!(escaped("<b>&amp;</b>"), "&lt;b&gt;&amp;amp;&lt;/b&gt;");
    }

    #[test]
    fn clicks_on_the_notifications_of_others_are_not_ours() {
        let mut shown = Shown::default();
        *shown.latest(Topic::Chat) = 7;
        assert!(shown.has(7));
        assert!(!shown.has(8));
    }
}
