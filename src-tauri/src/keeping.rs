//! What the window may ask of the files of the app: settings, recent meetings, an invitation to save.
#![expect(clippy::needless_pass_by_value, reason = "Tauri hands over what commands are given")]

use incamera_client::{ClientError, RelayAddress, RelayPlace};
use incamera_settings::{Files, Loaded, Recent, RecentChange, Server, Settings, about};
use incamera_view::Failure;
use tauri::State;

/// The meeting server of the settings.
pub(crate) fn place(server: &Server) -> Result<RelayPlace, Failure> {
    Ok(RelayPlace::Remote {
        address: RelayAddress::parse(&server.address).map_err(ClientError::from)?,
        create_token: (!server.token.is_empty()).then(|| server.token.clone()),
        tls_pin: server.pin()?,
    })
}

/// The settings.
#[tauri::command(async)]
pub(crate) fn settings(files: State<'_, Files>) -> Result<Loaded, Failure> {
    Ok(files.settings.load()?)
}

/// Keeps settings. A server that cannot be one is refused.
#[tauri::command(async)]
pub(crate) fn save_settings(files: State<'_, Files>, settings: Settings) -> Result<(), Failure> {
    if !settings.server.address.is_empty() {
        place(&settings.server)?;
    }
    Ok(files.settings.save(&settings)?)
}

/// Meetings to which one can come back, the newest first; after a change, if one is asked for.
#[tauri::command(async)]
pub(crate) fn recent(files: State<'_, Files>, change: Option<RecentChange>) -> Result<Vec<Recent>, Failure> {
    Ok(change.map_or_else(|| files.recent.all(), |change| files.recent.change(change))?)
}

/// Saves an invitation (RFC 5545) where downloads go; gives the name of the file.
#[tauri::command(async)]
pub(crate) fn save_invitation(files: State<'_, Files>, calendar: &str) -> Result<String, Failure> {
    Ok(files.save_invitation(calendar)?)
}

/// What is known of this program and this system.
#[tauri::command]
pub(crate) fn diagnostics() -> String {
    about(&tauri::webview_version().unwrap_or_default())
}
