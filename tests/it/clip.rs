//! A few seconds of real picture and sound, cut into what RTP packets carry.

use std::sync::OnceLock;

use crate::ffmpeg::{ivf_frames, ogg_packets, run};

/// Plays in a loop: its first picture is a key frame, the others are not.
pub struct Clip {
    /// VP8 frames, 30 a second.
    pub pictures: Vec<Vec<u8>>,
    /// Opus packets of 20 ms.
    pub sounds: Vec<Vec<u8>>,
}

impl Clip {
    /// Made on first use, by ffmpeg, as all clips are.
    pub fn usual() -> &'static Clip {
        static CLIP: OnceLock<Clip> = OnceLock::new();
        CLIP.get_or_init(|| make("testsrc2=s=320x240:r=30:d=6", "300k"))
    }

    /// About 6 Mbit/s.
    pub fn heavy() -> &'static Clip {
        static CLIP: OnceLock<Clip> = OnceLock::new();
        let noise = "testsrc2=s=320x240:r=30:d=4,noise=alls=80:allf=t";
        CLIP.get_or_init(|| make(noise, "6M -minrate 6M -maxrate 6M -qmax 30"))
    }
}

fn make(picture: &str, rate: &str) -> Clip {
    let source = picture;
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("picture.ivf");
    let sound = folder.path().join("sound.ogg");
    let of_picture = format!(
        "-f lavfi -i {source} -c:v libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0 \
        -auto-alt-ref 0 -g 1000 -keyint_min 1000 -b:v {rate}"
    );
    let of_sound = "-f lavfi -i sine=f=440:r=48000:d=6 -c:a libopus -ac 1 -b:a 32k \
        -frame_duration 20 -application voip";
    for (arguments, file) in [(of_picture.as_str(), &picture), (of_sound, &sound)] {
        let arguments = arguments.split_whitespace();
        let arguments: Vec<&str> = arguments.chain([file.to_str().unwrap()]).collect();
        run("ffmpeg", &arguments);
    }
    let clip = Clip {
        pictures: ivf_frames(&picture),
        sounds: ogg_packets(&sound),
    };
    let keys = clip.pictures.iter().map(|frame| frame[0] & 1 == 0);
    assert!(keys.enumerate().all(|(n, is_key)| is_key == (n == 0)));
    clip
}
