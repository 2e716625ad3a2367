//! Cameras and microphones from which one can tell, in a picture and by ear, whose they are.

use std::{path::PathBuf, process::Command};

use crate::chromium::Tab;

/// Somebody's colour and tone. See `camera.js`.
#[derive(Clone, Copy)]
pub struct Camera {
    pub colour: &'static str,
    pub rgb: [u8; 3],
    pub hz: u32,
    flashes: bool,
}

pub const RED: Camera = Camera {
    colour: "red",
    rgb: [200, 30, 30],
    hz: 440,
    flashes: false,
};
pub const GREEN: Camera = Camera {
    colour: "green",
    rgb: [30, 160, 30],
    hz: 660,
    flashes: false,
};
pub const BLUE: Camera = Camera {
    colour: "blue",
    rgb: [40, 40, 220],
    hz: 880,
    flashes: false,
};

/// The tone of the beep that goes with each flash.
pub const BEEP_HZ: u32 = 2500;

impl Camera {
    /// The same, with a white flash and a beep at the same moment, every two seconds.
    pub fn flashing(self) -> Camera {
        Camera {
            flashes: true,
            ..self
        }
    }

    fn script(self) -> String {
        let Camera {
            rgb: [r, g, b],
            hz,
            flashes,
            ..
        } = self;
        let person = format!("{{ colour: 'rgb({r} {g} {b})', hz: {hz}, flashes: {flashes} }}");
        format!(
            "{{ const PERSON = {person};\n{} }}",
            include_str!("camera.js")
        )
    }

    /// The files of a fake device of Chromium: a picture in the colour, and the tone, on and off by turns since a lasting
    /// tone is taken for noise.
    pub fn files(self, folder: &std::path::Path) -> (PathBuf, PathBuf) {
        let [r, g, b] = self.rgb;
        let picture = folder.join(format!("{}.mjpeg", self.colour));
        let sound = folder.join(format!("{}.wav", self.colour));
        let colour = format!("color=0x{r:02x}{g:02x}{b:02x}:s=320x240:r=15:d=1");
        let tone = format!(
            "aevalsrc='if(lt(mod(t,1),0.6),0.5*sin(2*PI*{}*t),0)':s=48000:d=4",
            self.hz
        );
        let video = ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "2"];
        ffmpeg(
            &[
                &["-f", "lavfi", "-i", &colour],
                &video[..],
                &[picture.to_str().unwrap()],
            ]
            .concat(),
        );
        ffmpeg(&["-f", "lavfi", "-i", &tone, sound.to_str().unwrap()]);
        (picture, sound)
    }
}

impl Tab {
    /// From the next page on, this is what the tab's camera and microphone give.
    pub async fn has(&self, camera: Camera) {
        self.before_load(&camera.script()).await;
    }
}

/// Runs ffmpeg; what it writes to its standard output.
pub fn ffmpeg(arguments: &[&str]) -> Vec<u8> {
    run(
        "ffmpeg",
        &[&["-v", "error", "-nostdin", "-y"], arguments].concat(),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test looks at files from outside"
)]
pub fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {complaint}"
    );
    output.stdout
}
