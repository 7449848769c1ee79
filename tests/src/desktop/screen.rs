//! A screen that nobody sees: Xvfb, whose pixels are in a file.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use incamera_media::picture::Picture;

/// Width and height of the screen in pixels.
const SIZE: (usize, usize) = (1280, 800);

/// A running X server; ends when dropped.
pub struct Screen {
    server: Child,
    display: String,
    folder: tempfile::TempDir,
}

/// A rectangle of the screen, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Columns to the left of it.
    pub left: usize,
    /// Rows above it.
    pub top: usize,
    /// Its columns.
    pub width: usize,
    /// Its rows.
    pub height: usize,
}

impl Screen {
    /// Starts a server on a free display.
    ///
    /// # Panics
    /// Without Xvfb nothing can be shown.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                &format!("{}x{}x24", SIZE.0, SIZE.1),
                "-nolisten",
                "tcp",
                "-fbdir",
            ])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb (package xvfb) can be started");
        let mut number = String::new();
        let stdout = server.stdout.take().expect("standard output is a pipe");
        BufReader::new(stdout).read_line(&mut number).expect("Xvfb says its display");
        Self { server, display: format!(":{}", number.trim()), folder }
    }

    /// Value of `DISPLAY` for programs that draw here.
    #[must_use]
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The brightness of what `area` shows now, as a picture without colour.
    ///
    /// # Panics
    /// When the area is not on the screen.
    #[must_use]
    pub fn luma(&self, area: Area) -> Picture {
        let dump = std::fs::read(self.file()).expect("Xvfb keeps its pixels in a file");
        let layout = Layout::of(&dump);
        let pixels = &dump[layout.first..];
        let sides = [area.width, area.height].map(|side| u32::try_from(side).expect("a side fits"));
        let mut picture = Picture::black(sides[0], sides[1]).expect("an area has pixels");
        let rows = picture.planes_mut()[0].chunks_exact_mut(area.width);
        for (row, line) in rows.zip(pixels.chunks_exact(layout.bytes_per_line).skip(area.top)) {
            let places = line.chunks_exact(4).skip(area.left);
            for (luma, place) in row.iter_mut().zip(places) {
                *luma = luma_of([place[0], place[1], place[2]]);
            }
        }
        picture
    }

    /// The bytes of the pixels of `area` as they are now, row after row; fast enough to be asked every millisecond.
    ///
    /// # Panics
    /// When the area is not on the screen.
    #[must_use]
    pub fn pixels(&self, area: Area) -> Vec<u8> {
        let file = File::open(self.file()).expect("Xvfb keeps its pixels in a file");
        let mut header = [0; 80];
        file.read_exact_at(&mut header, 0).expect("the file has a header");
        let layout = Layout::of(&header);
        let mut pixels = vec![0; 4 * area.width * area.height];
        for (row, bytes) in pixels.chunks_exact_mut(4 * area.width).enumerate() {
            let place = layout.first + (area.top + row) * layout.bytes_per_line + 4 * area.left;
            file.read_exact_at(bytes, place as u64).expect("the area is on the screen");
        }
        pixels
    }

    /// Takes the keyboard away from every window, as if the person had turned to another program.
    ///
    /// # Panics
    /// When the server does not take the request.
    pub fn look_elsewhere(&self) {
        let socket = format!("/tmp/.X11-unix/X{}", self.display.trim_start_matches(':'));
        let mut server = UnixStream::connect(socket).expect("the server listens");
        // Least significant byte first, version 11, no authorisation (X Window System Protocol, appendix B).
        server.write_all(b"l\0\x0b\0\0\0\0\0\0\0\0\0").expect("a connection can be set up");
        let mut head = [0; 8];
        server.read_exact(&mut head).expect("the server answers");
        assert_eq!(head[0], 1, "the server refuses");
        let mut rest = vec![0; 4 * usize::from(u16::from_le_bytes([head[6], head[7]]))];
        server.read_exact(&mut rest).expect("the server describes itself");
        // SetInputFocus to no window, at this moment; GetInputFocus, whose answer says that it is done.
        server.write_all(&[42, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]).expect("a request can be made");
        server.write_all(&[43, 0, 1, 0]).expect("a request can be made");
        server.read_exact(&mut [0; 32]).expect("the server answers");
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("Xvfb_screen0")
    }
}

/// Where the pixels of a dump in the XWD format are.
struct Layout {
    first: usize,
    bytes_per_line: usize,
}

impl Layout {
    /// The header has words of 32 bits, the most significant byte first.
    fn of(dump: &[u8]) -> Self {
        let word = |index: usize| {
            let bytes = dump[4 * index..4 * index + 4].try_into().expect("four bytes");
            u32::from_be_bytes(bytes) as usize
        };
        let (header, bytes_per_line, colours) = (word(0), word(12), word(19));
        Self { first: header + 12 * colours, bytes_per_line }
    }
}

/// ITU-R BT.601 with limited range; a pixel of the screen is blue, green and red.
fn luma_of([blue, green, red]: [u8; 3]) -> u8 {
    let weighted = 25 * u32::from(blue) + 129 * u32::from(green) + 66 * u32::from(red);
    u8::try_from(16 + weighted / 256).unwrap_or(u8::MAX)
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Failing means that it is gone already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
