//! The TypeScript types of everything that crosses, kept in the repository so that the pages build without Rust.

#[cfg(test)]
mod tests {
    use std::path::Path;

    use incamera_settings::*;
    use ts_rs::{Config, TS};

    use crate::failure::Failure;
    use crate::launch::{Launch, Opening};
    use crate::view::event::*;
    use crate::view::*;

    /// Says to write the file instead of comparing it.
    const WRITE: &str = "INCAMERA_WRITE_TYPES";

    macro_rules! declarations {
        ($($name:ty),* $(,)?) => {{
            let config = Config::default();
            let mut text = String::from("// Made from src-tauri/src/view.rs by `./dev types`.\n");
            $(text.push_str(&format!("\nexport {}\n", <$name as TS>::decl(&config)));)*
            text
        }};
    }

    #[test]
    fn types_of_the_window_are_those_of_the_app() {
        let wanted = declarations! {
            AppEvent, Stage, ReachView, ReachScope, Person, Role, Verification, Departure,
            ChatLine, MediaStop, Way, Received, Level, Ending, Lobby, Place, Order, OnOff,
            InviteView, ServerTrust, DeviceView, DeviceKind, DeviceChoices, MicrophoneChoice,
            SpeakerChoice, CameraChoice, DoorView, Launch, Opening, Failure, Loaded, Settings,
            Language, Appearance, Remembering, Devices, Sounds, Server, WindowSize, Recent,
            RecentChange
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/src/lib/generated.ts");
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&path, wanted).unwrap();
            return;
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, wanted, "run ./dev types");
    }
}
