//! Every setting: a flag, an environment variable and a line of `--help`. All have defaults that
//! give a working room on this machine.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};

use crate::{
    common::trusted_proxies::TrustedProxies,
    opentok::{self, Resolution},
};

/// The browser library of the OpenTok cloud.
const CLOUD_LIBRARY: &str = "https://static.opentok.com/v2/js/opentok.min.js";

/// Video rooms you host yourself: people meet, call one another, and keep the recording.
#[derive(Debug, Parser)]
#[command(name = "parlor", version, args_conflicts_with_subcommands = false)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub config: Config,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the server; what `parlor` without a command does.
    Serve,
    /// Adds or lists the people who may record and moderate.
    #[command(subcommand)]
    Moderator(ModeratorCommand),
    /// Makes, lists, renews and revokes API keys of applications, and says where their events go. Without a command: shows the key and the secret of the pages.
    Keys {
        #[command(subcommand)]
        command: Option<KeysCommand>,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Makes a key and its secret, and shows them this once.
    Add {
        /// What the application is called; 1–100 characters.
        name: String,
    },
    /// Lists the keys of applications, without their secrets.
    List,
    /// Makes another secret for a key, and shows it this once. The one before is good for nothing at once.
    Renew { key: u32 },
    /// Lets nobody in by a key any more. Its archives stay.
    Revoke { key: u32 },
    /// Posts all that happens in a key's sessions and to its archives to an address; without one, shows what is posted where.
    Callback {
        key: u32,
        /// http or https.
        url: Option<String>,
        /// Nothing is posted any more.
        #[arg(long, conflicts_with = "url")]
        off: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ModeratorCommand {
    /// Adds a moderator, or gives one a new password. The password is read from standard input.
    Add {
        /// The name to sign in with; 1–100 characters.
        name: String,
    },
    /// Lists the moderators.
    List,
    /// Removes a moderator; the account is signed out everywhere.
    Remove { name: String },
    /// Makes a sign-in link that works once, within an hour.
    Link,
}

/// The settings of a server.
#[derive(Clone, Debug, Args)]
pub struct Config {
    #[command(flatten)]
    pub network: Network,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub keys: Keys,
    #[command(flatten)]
    pub archives: Archives,
    #[command(flatten)]
    pub callbacks: Callbacks,
    #[command(flatten)]
    pub platform: Platform,

    /// What is logged: a level, or `tracing` directives such as `warn,parlor::sfu=debug`.
    #[arg(
        long,
        env = "PARLOR_LOG",
        value_name = "FILTER",
        default_value = "info",
        global = true
    )]
    pub log: String,
}

/// Where Parlor is reached.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct Network {
    /// Address and port of pages, signaling (TCP) and media (UDP, same number).
    #[arg(long, env = "PARLOR_LISTEN", value_name = "IP:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), global = true)]
    pub listen: SocketAddr,

    /// The address people type, when a proxy or a name stands before Parlor; https makes cookies Secure.
    #[arg(long, env = "PARLOR_PUBLIC_URL", value_name = "URL", value_parser = public_url, global = true)]
    pub public_url: Option<String>,

    /// Addresses at which media reach this machine from outside, when it stands behind NAT. Its own addresses are found by themselves.
    #[arg(
        long,
        env = "PARLOR_PUBLIC_ADDRESS",
        value_name = "IP",
        value_delimiter = ',',
        global = true
    )]
    pub public_address: Vec<IpAddr>,

    /// Local IP addresses for media [default: the IP of --listen; all addresses if that is 0.0.0.0 or [::], or behind a proxy on this machine]
    #[arg(
        long,
        env = "PARLOR_MEDIA_ADDRESS",
        value_name = "IP",
        value_delimiter = ','
    )]
    pub media_address: Vec<IpAddr>,

    /// Reverse proxies whose X-Forwarded-For and Forwarded headers name the client: addresses or networks such as 10.1.0.0/16
    #[arg(
        long,
        env = "PARLOR_TRUSTED_PROXIES",
        value_name = "NETWORKS",
        default_value_t = TrustedProxies::default(),
        global = true
    )]
    pub trusted_proxies: TrustedProxies,

    /// Let clients with this bearer token read /metrics; without one, only this machine reads it
    #[arg(long, env = "PARLOR_METRICS_TOKEN", value_name = "TOKEN", value_parser = bearer_token, hide_env_values = true, global = true)]
    pub metrics_token: Option<Secret>,

    /// Threads that route media, each with a UDP port of its own from the listening one on. 0: one on up to 3 cores, else one less than there are cores.
    #[arg(
        long,
        env = "PARLOR_MEDIA_WORKERS",
        value_name = "N",
        default_value_t = 0,
        global = true
    )]
    pub media_workers: usize,
}

/// Where Parlor keeps what it keeps.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct Data {
    /// The folder for the database, the keys and the recordings; made if missing.
    #[arg(
        long = "data",
        env = "PARLOR_DATA",
        value_name = "FOLDER",
        default_value = "data",
        global = true
    )]
    pub folder: PathBuf,

    /// Start with an empty history if the database is missing from a folder that has archives
    #[arg(long)]
    pub new_database: bool,

    /// Recording starts only with this much room on the disk, and stops at half of it. MiB.
    #[arg(
        long,
        env = "PARLOR_MIN_FREE_MIB",
        value_name = "MIB",
        default_value_t = 512,
        global = true
    )]
    pub min_free_mib: u64,
}

/// The project whose rooms the pages show; with --platform opentok, the project there.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Keys")]
pub struct Keys {
    /// API key, digits. Made on the first start if not given, unless the platform is another.
    #[arg(
        long,
        env = "API_KEY",
        value_name = "DIGITS",
        requires = "api_secret",
        global = true
    )]
    pub api_key: Option<u32>,

    /// API secret, without dots. Made on the first start if not given, unless the platform is another.
    #[arg(
        long,
        env = "API_SECRET",
        value_name = "TEXT",
        hide_env_values = true,
        requires = "api_key",
        global = true
    )]
    pub api_secret: Option<Secret>,

    /// Accept API calls of OpenTok SDKs from before 2016, whose header carries the secret itself: true or false.
    #[arg(
        long,
        env = "PARLOR_LEGACY_AUTH",
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set,
        global = true
    )]
    pub legacy_auth: bool,
}

/// What archives become and how long they stay.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Archives")]
pub struct Archives {
    /// Size of the composed file: 640x480, 1280x720, 1920x1080 or these turned upright. Twice the height costs about three times the work.
    #[arg(
        long,
        env = "PARLOR_ARCHIVE_RESOLUTION",
        value_name = "WxH",
        default_value_t = Resolution::R640X480,
        global = true
    )]
    pub archive_resolution: Resolution,

    /// Days after which an archive's files are deleted. 0: never.
    #[arg(
        long,
        env = "PARLOR_ARCHIVE_KEEP_DAYS",
        value_name = "DAYS",
        default_value_t = 0,
        global = true
    )]
    pub archive_keep_days: u32,

    /// Minutes after which an archive stops by itself. 0: never.
    #[arg(
        long,
        env = "PARLOR_ARCHIVE_MAX_MINUTES",
        value_name = "MINUTES",
        default_value_t = 240,
        global = true
    )]
    pub archive_max_minutes: u32,

    /// Archives on a page of the history.
    #[arg(long, env = "PARLOR_HISTORY_PAGE", value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100), global = true)]
    pub history_page: u32,

    /// The program that composes the MP4
    #[arg(
        long,
        env = "PARLOR_FFMPEG",
        value_name = "PATH",
        default_value = "ffmpeg",
        global = true
    )]
    pub ffmpeg: PathBuf,

    /// The program that checks files; by default the ffprobe beside --ffmpeg
    #[arg(long, env = "PARLOR_FFPROBE", value_name = "PATH", global = true)]
    pub ffprobe: Option<PathBuf>,
}

impl Archives {
    /// The program that checks files.
    pub fn ffprobe(&self) -> PathBuf {
        let beside = || match self.ffmpeg.file_name() {
            Some(name) if name == "ffmpeg" => self.ffmpeg.with_file_name("ffprobe"),
            // The name says nothing about that of the other one.
            _ => PathBuf::from("ffprobe"),
        };
        self.ffprobe.clone().unwrap_or_else(beside)
    }
}

/// What is posted to the servers of applications.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Callbacks")]
pub struct Callbacks {
    /// Events may be posted to private addresses, and archives copied from them: true or false. Then the owner of an API key can send requests to this machine and its network.
    #[arg(
        long,
        env = "PARLOR_CALLBACK_ALLOW_PRIVATE",
        value_name = "BOOL",
        default_value_t = false,
        num_args = 0..=1,
        default_missing_value = "true",
        action = clap::ArgAction::Set,
        global = true
    )]
    pub callback_allow_private: bool,

    /// The delays before the second attempt to deliver an event, the third, …; empty: the defaults of
    /// [`Schedule`](crate::callback::Schedule). Only for tests.
    #[arg(skip)]
    pub retry_delays: Vec<Duration>,
}

/// What calls run on.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Video platform")]
pub struct Platform {
    /// What rooms, calls and archives run on. embedded: the media engine in this process. opentok: a server that speaks OpenTok's API (the OpenTok cloud, or another Parlor), with --api-key and --api-secret of a project there.
    #[arg(
        long = "platform",
        env = "PLATFORM",
        value_name = "NAME",
        value_enum,
        default_value_t = PlatformKind::Embedded,
        global = true
    )]
    pub kind: PlatformKind,

    /// Where the API of the platform opentok is.
    #[arg(long, env = "OPENTOK_API_URL", value_name = "URL", default_value = opentok::API_URL, value_parser = http_url, global = true)]
    pub opentok_api_url: String,

    /// Where browsers load its library from. Default: the cloud's, or that of the server at --opentok-api-url.
    #[arg(long, env = "OPENTOK_JS_URL", value_name = "URL", value_parser = http_url, global = true)]
    pub opentok_js_url: Option<String>,

    /// Copy the files of its archives into the data folder, where they stay when the platform deletes them: true or false.
    #[arg(
        long,
        env = "ARCHIVE_PULL",
        value_name = "BOOL",
        default_value_t = false,
        action = clap::ArgAction::Set,
        global = true
    )]
    pub archive_pull: bool,
}

/// Which video platform it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PlatformKind {
    Embedded,
    Opentok,
}

impl Platform {
    /// Where browsers load the library of the platform opentok from.
    pub fn library(&self) -> String {
        match &self.opentok_js_url {
            Some(given) => given.clone(),
            None if self.opentok_api_url == opentok::API_URL => CLOUD_LIBRARY.to_owned(),
            None => format!("{}/v2/js/opentok.min.js", self.opentok_api_url),
        }
    }
}

impl Keys {
    /// No key is given.
    pub fn none() -> Keys {
        Keys {
            api_key: None,
            api_secret: None,
            legacy_auth: true,
        }
    }
}

impl Default for Config {
    /// What runs when nothing is set, whatever the environment says.
    fn default() -> Self {
        Config {
            network: Network {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
                public_url: None,
                public_address: Vec::new(),
                media_address: Vec::new(),
                trusted_proxies: TrustedProxies::default(),
                metrics_token: None,
                media_workers: 0,
            },
            data: Data {
                folder: PathBuf::from("data"),
                new_database: false,
                min_free_mib: 512,
            },
            keys: Keys {
                api_key: None,
                api_secret: None,
                legacy_auth: true,
            },
            archives: Archives {
                archive_resolution: Resolution::R640X480,
                archive_keep_days: 0,
                archive_max_minutes: 240,
                history_page: 5,
                ffmpeg: PathBuf::from("ffmpeg"),
                ffprobe: None,
            },
            callbacks: Callbacks::default(),
            platform: Platform {
                kind: PlatformKind::Embedded,
                opentok_api_url: opentok::API_URL.to_owned(),
                opentok_js_url: None,
                archive_pull: false,
            },
            log: "info".to_owned(),
        }
    }
}

impl Config {
    /// Is Parlor reached over TLS, so that cookies may be `Secure`?
    pub fn is_secure(&self) -> bool {
        self.network
            .public_url
            .as_deref()
            .is_some_and(|url| url.starts_with("https://"))
    }
}

/// A setting that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl std::str::FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("it is empty");
        }
        // Some SDKs take a secret with a dot for the path of a key file.
        if text.contains('.') {
            return Err("it has a dot, which some server SDKs take for a file's name");
        }
        Ok(Secret(text.to_owned()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

fn bearer_token(text: &str) -> Result<Secret, &'static str> {
    match text.trim() {
        "" => Err("it is empty"),
        token => Ok(Secret(token.to_owned())),
    }
}

/// The scheme and the host of the pages. They are served at the root of the host, so a path is refused.
fn public_url(text: &str) -> Result<String, String> {
    let url = http_url(text)?;
    let (_, host) = url.split_once("://").unwrap_or_default();
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ', '\\']) {
        return Err(
            "it must be a scheme and a host, as in https://meet.example.org: Parlor does not run under a path".to_owned(),
        );
    }
    Ok(url)
}

/// An address of the web, without the slash at its end.
fn http_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() => Ok(url.to_owned()),
        _ => {
            Err("it must start with http:// or https://, as in https://meet.example.org".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn defaults_are_the_same_with_and_without_a_command_line() {
        let parsed = CommandLine::parse_from(["parlor"]).config;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Config::default()));
    }

    #[test]
    fn ffprobe_is_beside_ffmpeg_or_in_the_path() {
        for (ffmpeg, ffprobe) in [
            ("ffmpeg", "ffprobe"),
            ("/opt/ffmpeg-7/bin/ffmpeg", "/opt/ffmpeg-7/bin/ffprobe"),
            ("/opt/my-encoder", "ffprobe"),
        ] {
            let archives = Archives {
                ffmpeg: PathBuf::from(ffmpeg),
                ..Config::default().archives
            };
            assert_eq!(archives.ffprobe(), PathBuf::from(ffprobe));
        }
    }

    #[test]
    fn a_public_url_is_a_scheme_and_a_host() {
        for good in [
            "https://meet.example.org",
            "http://[::1]:8080/",
            "https://x.example:8443",
        ] {
            assert_eq!(public_url(good).unwrap(), good.trim_end_matches('/'));
        }
        for bad in [
            "",
            "meet.example.org",
            "https://",
            "ftp://x.example",
            "https://x.example/y",
            "https://x.example?a=b",
            "https://x.example/#a",
            "https://ann@x.example",
            "https:///y",
            "https://x y",
        ] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let line =
            CommandLine::parse_from(["parlor", "--api-key", "12", "--api-secret", "swordfish"]);
        assert!(!format!("{line:?}").contains("swordfish"));
    }

    #[test]
    fn the_library_comes_from_where_the_platform_is() {
        let library = |arguments: &[&str]| {
            let line = ["parlor", "--platform", "opentok"];
            let line = [&line[..], arguments].concat();
            CommandLine::parse_from(line).config.platform.library()
        };
        assert_eq!(library(&[]), CLOUD_LIBRARY);
        let other = ["--opentok-api-url", "https://media.example/"];
        assert_eq!(
            library(&other),
            "https://media.example/v2/js/opentok.min.js"
        );
        let both = [
            &other[..],
            &["--opentok-js-url", "https://cdn.example/ot.js"],
        ]
        .concat();
        assert_eq!(library(&both), "https://cdn.example/ot.js");
    }

    #[test]
    fn only_web_addresses_are_public_urls() {
        assert_eq!(
            public_url("https://meet.example/"),
            Ok("https://meet.example".to_owned())
        );
        assert!(public_url("meet.example").is_err());
        assert!(public_url("https://").is_err());
    }
}
