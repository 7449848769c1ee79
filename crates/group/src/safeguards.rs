//! Safeguards that a test build can switch off one by one, to show that an attack succeeds without them.
//! Without the feature `danger-sabotage` they are constants.

macro_rules! safeguards {
    ($($(#[$doc:meta])* $name:ident;)+) => {
        /// Which safeguards are on; all of them unless a test says otherwise.
        #[cfg(feature = "danger-sabotage")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Safeguards { $($(#[$doc])* pub $name: bool,)+ }

        #[cfg(feature = "danger-sabotage")]
        impl Default for Safeguards {
            fn default() -> Self {
                Self { $($name: true,)+ }
            }
        }

        #[cfg(feature = "danger-sabotage")]
        impl Safeguards {
            $(pub(crate) const fn $name(self) -> bool { self.$name })+

            /// Switches off the safeguard of this name; whether there is one.
            pub fn switch_off(&mut self, name: &str) -> bool {
                match name {
                    $(stringify!($name) => self.$name = false,)+
                    _ => return false,
                }
                true
            }
        }

        /// Every safeguard is on.
        #[cfg(not(feature = "danger-sabotage"))]
        #[derive(Clone, Copy, Default)]
        pub(crate) struct Safeguards(());

        #[cfg(not(feature = "danger-sabotage"))]
        impl Safeguards {
            $(pub(crate) const fn $name(self) -> bool { true })+
        }
    };
}

safeguards! {
    /// Only private messages and the three proposal types; off: external commits are accepted.
    filter;
    /// Commits are checked against rules and roles; off: any member may do anything.
    authority;
    /// The first valid commit of an epoch wins; off: an own outstanding commit is preferred.
    first_valid_wins;
    /// The Welcome's signer must have the right to admit.
    welcome_signer;
    /// Rules must chain to the room key in the link and belong to the room.
    rules_chain;
    /// A joiner is silent until an admitter confirmed it; off: it is active at once.
    confirmation;
    /// Message keys of past epochs are erased at once; off: five epochs are kept.
    past_epoch_erasure;
    /// An own echo counts only byte for byte; off: whatever claims to be ours merges our pending commit.
    own_echo_bytes;
    /// A path must keep the committer's key and credential; off: a committer may rename itself.
    path_leaf;
    /// A member without the right to admit waits eight commits before it commits again.
    commit_spacing;
}
