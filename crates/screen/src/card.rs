//! How WebKitGTK hands what it drew to the screen.

/// Read by WebKitGTK when its first window is made: drawn frames go through shared memory.
#[cfg(target_os = "linux")]
const SHARED_MEMORY: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";

/// Lets frames go through shared memory where this computer has no graphics card: what WebKitGTK does otherwise draws
/// each on the processor as if it were one, and keeps a core busy with a single moving picture
/// (`docs/decisions/0003-pictures-over-a-loopback-socket.md`). What the environment says already is left as it is.
///
/// The first thing that a program does: no other thread may run yet.
pub fn suit_drawing_to_computer() {
    #[cfg(target_os = "linux")]
    if std::env::var_os(SHARED_MEMORY).is_none() && !has_card() {
        // SAFETY: the caller has started no thread that could read the environment meanwhile.
        #[expect(unsafe_code, reason = "WebKitGTK takes this from the environment alone")]
        unsafe {
            std::env::set_var(SHARED_MEMORY, "1");
        }
    }
}

/// Whether programs can draw with a graphics card: the kernel shows each as `/dev/dri/renderD128` and so on.
#[cfg(target_os = "linux")]
fn has_card() -> bool {
    let shown = std::fs::read_dir("/dev/dri").into_iter().flatten().flatten();
    shown.into_iter().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"renderD"))
}
