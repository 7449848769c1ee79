//! Every setting: the table from which the file, its manual and the types of the window are made.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::SettingsError;

/// What the person chose. What a file does not say is as in a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Settings {
    /// What the others see.
    pub name: String,
    /// In which language the window speaks.
    pub language: Language,
    /// Light or dark.
    pub appearance: Appearance,
    /// Whether meetings are remembered.
    pub remember_meetings: Remembering,
    /// Whether the microphone is off at first.
    pub start_muted: bool,
    /// Whether the picture is off at first.
    pub start_without_picture: bool,
    /// What is used for sound and pictures.
    pub devices: Devices,
    /// Which tones are played.
    pub sounds: Sounds,
    /// Whether the desktop tells who asks to be let in and who writes while the window is not looked at.
    pub notifications: Notifying,
    /// Where meetings are held that the person starts.
    pub server: Server,
    /// How large the window was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub window: Option<WindowSize>,
}

/// A language of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// That of the system, if there is a translation.
    #[default]
    System,
    /// English.
    En,
    /// German.
    De,
}

/// The colours of the window. A meeting is always dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    /// Those of the system.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// Whether meetings are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Remembering {
    /// The person was not asked yet: none is.
    #[default]
    NotAsked,
    /// Those to which one can come back.
    Yes,
    /// None.
    No,
}

/// Whether the desktop is asked to tell something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Notifying {
    /// It is.
    #[default]
    On,
    /// It is not.
    Off,
}

/// The chosen devices: `system`, `none`, or the id of one; also `tone` and `pattern`, to try things out. Empty is what a
/// new file has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Devices {
    /// What is heard of the person.
    pub microphone: String,
    /// Where the others are heard.
    pub speaker: String,
    /// What is seen of the person.
    pub camera: String,
}

/// Which of the four tones are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Sounds {
    /// Somebody came.
    pub join: bool,
    /// Somebody went.
    pub leave: bool,
    /// Somebody asks to be let in.
    pub knock: bool,
    /// Something needs attention.
    pub problem: bool,
}

impl Default for Sounds {
    fn default() -> Self {
        Self { join: true, leave: true, knock: true, problem: true }
    }
}

/// A meeting server of somebody's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Server {
    /// `host` or `host:port`; empty: meetings are held on this computer.
    pub address: String,
    /// What the server asks for before it makes a meeting; may be empty.
    pub token: String,
    /// SHA-256 of the server's public key, 64 hexadecimal digits; empty: its certificate is one that the system trusts.
    pub key: String,
}

impl Server {
    /// The key, if one is named.
    ///
    /// # Errors
    /// [`SettingsError::Key`] when it is not 64 hexadecimal digits.
    pub fn pin(&self) -> Result<Option<[u8; 32]>, SettingsError> {
        if self.key.is_empty() {
            return Ok(None);
        }
        let digits = self.key.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(SettingsError::Key);
        }
        let mut pin = [0; 32];
        for (byte, pair) in pin.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| SettingsError::Key)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| SettingsError::Key)?;
        }
        Ok(Some(pin))
    }
}

/// Size of the window, in points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WindowSize {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_servers_are_64_digits_or_none() {
        let pin = |key: &str| Server { key: key.to_owned(), ..Server::default() }.pin();
        assert_eq!(pin("").unwrap(), None);
        assert_eq!(pin(&"0aF1".repeat(16)).unwrap().map(|pin| [pin[0], pin[31]]), Some([0x0a, 0xf1]));
        for wrong in ["0a", &"+0".repeat(32), &"é".repeat(32)] {
            assert!(pin(wrong).is_err(), "{wrong}");
        }
    }
}
