//! Makes the app's commands known, so that a window is allowed exactly those that `capabilities/` lists.

const COMMANDS: &str = "launch read_invite devices test_speaker open_door preview stop_preview host join order quit settings \
    save_settings recent save_invitation diagnostics resume notify keep_awake \
    screens glimpse share stop_sharing";

fn main() {
    let commands = tauri_build::AppManifest::new().commands(COMMANDS.split(' ').collect::<Vec<_>>().leak());
    if let Err(why) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(commands)) {
        println!("cargo::error={why:#}");
        println!("cargo::error=The app's pages are built first: ./dev check");
    }
}
