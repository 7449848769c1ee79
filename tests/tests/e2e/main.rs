//! Whole meetings of real processes, judged from outside: exit codes, events, and what was decoded.
//!
//! Test builds, and no others, obey these; the features that do are refused without debug assertions:
//!
//! | switch | effect |
//! |---|---|
//! | `INCAMERA_SABOTAGE` | parts separated by `;`: `freeze`, `drop-key:NAME`, an attack of the hosted SFU (`flip-bits`, `replay`, `reorder`, `duplicate`, `truncate`, `inject-empty-frames`, `swap-streams:A,B`, `drop-stream:NAME`, `freeze-stream:NAME`), `external-commit:NAME` (after NAME has joined), `safeguard-off:NAME` (a rule of `./dev sim --sabotage`, or `replay_window`, `authentication`, `picture_order`, `sender_by_key`) |
//! | `INCAMERA_PHANTOM_OF` | link of the room that the one hosted here passes for |
//! | `INCAMERA_SFU_RECORDING` | file for everything that the hosted SFU receives |
//! | `INCAMERA_RETAINED_KEYS` | file for every media key that this client is given |
//! | `INCAMERA_CANDIDATES_THROUGH` | two addresses, to publish to and to play from, in place of the SFU's |
//! | `hostility`, `recording`, `media.recording` in `relay.toml` | what the relay does after SIGUSR1, and files for what it and its SFU receive |

mod around;
mod bad_input;
mod camera;
mod canary;
mod crash;
mod devices;
mod ending;
mod external_commit;
mod film;
mod hostile_relay;
mod hostile_sfu;
mod invitation;
mod lobby;
mod offline;
mod outage;
mod phantom_room;
mod quality;
mod retained_keys;
mod screen;
mod standstill;
mod together;
mod turn;
mod window;
