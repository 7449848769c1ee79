//! Reads `tauri.conf.json`.

fn main() {
    if let Err(why) = tauri_build::try_build(tauri_build::Attributes::new()) {
        println!("cargo::error={why:#}");
        println!("cargo::error=The pages are built first: ./dev check");
    }
}
