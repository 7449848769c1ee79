//! A window of Tauri with an empty page: what the app's first picture is measured against (`./dev bench desktop`).

fn main() -> Result<(), tauri::Error> {
    tauri::Builder::default().run(tauri::generate_context!("empty/tauri.conf.json"))
}
