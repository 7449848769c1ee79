//! Connections to the two message buses (D-Bus specification): that of the person's session and that of the computer.

use std::time::Duration;

use zbus::Connection;
use zbus::connection::Builder;

/// What this program is called where the system names it to people.
pub(crate) const APPLICATION: &str = "Incamera";

/// How long a service may take to answer: they are programs of this computer, and nothing waits for them but a meeting
/// that has begun.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The bus of the person's session: screen and notifications.
pub(crate) async fn session() -> zbus::Result<Connection> {
    Builder::session().method_timeout(ANSWER_LIMIT).build().await
}

/// The bus of the computer: sleep.
pub(crate) async fn system() -> zbus::Result<Connection> {
    Builder::system().method_timeout(ANSWER_LIMIT).build().await
}
