//! The TypeScript types of everything that crosses, kept in the repository so that the pages build without Rust.

#[cfg(test)]
mod tests {
    use std::path::Path;

    use incamera_client::meeting::{LobbyMode, MediaStop, MeetingState, RoleView, StopReason};
    use incamera_client::{Device, Direction, MediaServerKind, Scope, SharingEnd, Switch, Which};
    use incamera_platform::{Notice, Topic};
    use incamera_settings::*;
    use incamera_view::*;
    use ts_rs::{Config, TS};

    use crate::launch::{Launch, Opening};
    use crate::telling::{Past, Resumed};

    /// Says to write the file instead of comparing it.
    const WRITE: &str = "INCAMERA_WRITE_TYPES";

    macro_rules! declarations {
        ($($name:ty),* $(,)?) => {{
            let config = Config::default();
            let mut text = String::from("// Made from crates/view by `./dev types`.\n");
            $(text.push_str(&format!("\nexport {}\n", <$name as TS>::decl(&config)));)*
            text
        }};
    }

    /// Enumerations of the client, which cross as they are; a case that is missing here does not compile.
    macro_rules! cases {
        ($($name:ident: $($case:ident),*;)*) => {{
            let mut text = String::new();
            $(
                let cases = [$($name::$case),*].map(|case| match case {
                    $($name::$case)|* => serde_json::to_string(&case).unwrap(),
                });
                text.push_str(&format!("\nexport type {} = {};\n", stringify!($name), cases.join(" | ")));
            )*
            text
        }};
    }

    #[test]
    fn types_of_the_window_are_those_of_the_app() {
        let wanted = declarations! {
            AppEvent, ReachView, RelayView, MediaServerView, Person, Verification, Departure, ChatLine, Received, Level,
            Place, Order, Shows, InviteView, ServerTrust, DeviceView, ScreenView, ScreenKind, DeviceChoices,
            MicrophoneChoice, SpeakerChoice, CameraChoice, Entrance, DoorView, Launch, Opening, Failure,
            Loaded, Settings, Language, Appearance, Remembering, Devices, Sounds, Server,
            WindowSize, Recent, RecentChange, Notifying, Topic, Notice, Part, Past, Resumed
        } + &cases! {
            MeetingState: Connecting, Knocking, Joining, InMeeting, Stopped;
            StopReason: Left, Ended, EndUnconfirmed, Removed, Denied, Full, Locked, NotAnswered,
                ClockWrong, NoSuchRoom, CardRefused, WelcomeRefused, NotConfirmed, LinkRefused,
                RoomLost, KeysLost, CreateRefused, Version;
            MediaStop: LinkLost, Rejoining, Stopped;
            RoleView: Host, Participant, Unknown;
            LobbyMode: Wait, Open;
            MediaServerKind: Embedded, Whip, Janus;
            Scope: ThisComputer, ThisNetwork, Internet;
            Direction: Publish, Play;
            Switch: On, Off;
            Device: Microphone, Speaker, Camera;
            Which: Chosen, Instead;
            SharingEnd: Asked, SourceEnded, GaveWay, Refused;
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
