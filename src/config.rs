//! The settings: each is a flag, an environment variable and a line of `--help`. The defaults give a working room on this machine.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind, parser::ValueSource,
};

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

impl CommandLine {
    /// Parses the arguments of this process, and ends it with a message if they are not valid.
    pub fn parse_checked() -> CommandLine {
        CommandLine::check(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Options of the server count behind `serve`, where there is one.
    fn check(arguments: impl IntoIterator<Item = OsString>) -> Result<CommandLine, clap::Error> {
        let mut command = CommandLine::command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        let is_set = |argument: &clap::Arg| {
            let id = argument.get_id().as_str();
            id != "folder" && matches.value_source(id) == Some(ValueSource::CommandLine)
        };
        if matches.subcommand_name() == Some("serve") && command.get_arguments().any(is_set) {
            return Err(command.error(
                ErrorKind::ArgumentConflict,
                "write the options behind `serve`, or leave `serve` out",
            ));
        }
        CommandLine::from_arg_matches(&matches)
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server (default)
    Serve(Box<Config>),
    /// Manage the accounts of moderators. May run beside a running server
    #[command(subcommand)]
    Moderator(ModeratorCommand),
    /// Manage API keys and webhooks; without a command, show the API key and secret of the pages. May run beside a running server
    Keys {
        #[command(subcommand)]
        command: Option<KeysCommand>,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Create an API key and secret; the secret is shown only once
    Add {
        /// Name of the application, 1 to 100 characters
        name: String,
    },
    /// List the API keys of applications, without secrets
    List,
    /// Replace the secret of a key; the old secret stops working immediately
    Renew { key: u32 },
    /// Revoke a key (its archives are kept)
    Revoke { key: u32 },
    /// Send all events of a key to a URL; without a URL, show the callbacks of the key
    Callback {
        key: u32,
        /// http or https URL of the receiver
        url: Option<String>,
        /// Disable all callbacks of the key
        #[arg(long, conflicts_with = "url")]
        off: bool,
        /// Accept a URL with a private IP address, which the server must allow, too
        #[arg(
            long,
            env = "PARLOR_CALLBACK_ALLOW_PRIVATE",
            value_name = "BOOL",
            default_value_t = false,
            num_args = 0..=1,
            default_missing_value = "true",
            action = clap::ArgAction::Set
        )]
        callback_allow_private: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ModeratorCommand {
    /// Add a moderator, or change a moderator's password. Reads the password from the terminal or standard input
    Add {
        /// Name to sign in with, 1 to 60 characters
        name: String,
    },
    /// List the moderators
    List,
    /// Remove a moderator and sign the account out everywhere
    Remove { name: String },
    /// Create a one-time sign-in link, valid for 1 hour
    Link {
        /// Public URL of the server
        #[arg(long, env = "PARLOR_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
        public_url: Option<String>,
    },
}

/// The settings of a server.
#[derive(Clone, Debug, Args)]
pub struct Config {
    #[command(flatten)]
    pub network: NetworkConfig,
    #[command(flatten)]
    pub data: DataConfig,
    #[command(flatten)]
    pub keys: KeyConfig,
    #[command(flatten)]
    pub archives: ArchiveConfig,
    #[command(flatten)]
    pub callbacks: CallbackConfig,
    #[command(flatten)]
    pub platform: PlatformConfig,

    /// Log level, or `tracing` directives such as `warn,parlor::sfu=debug`
    #[arg(
        long,
        env = "PARLOR_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,
}

/// The addresses of the server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkConfig {
    /// IP address and port: TCP for pages and signaling, UDP for media
    #[arg(long, env = "PARLOR_LISTEN", value_name = "IP:PORT", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))]
    pub listen: SocketAddr,

    /// Public URL, if Parlor is behind a proxy or has a domain name; https makes cookies Secure
    #[arg(long, env = "PARLOR_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub public_url: Option<String>,

    /// Public IP to advertise for media when behind NAT (local addresses are detected)
    #[arg(
        long,
        env = "PARLOR_PUBLIC_ADDRESS",
        value_name = "IP",
        value_delimiter = ','
    )]
    pub public_address: Vec<IpAddr>,

    /// Local IP addresses for media; by default the IP of --listen, or all addresses for 0.0.0.0, `[::]` and a proxy on this machine
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
        default_value_t = TrustedProxies::default()
    )]
    pub trusted_proxies: TrustedProxies,

    /// Let clients with this bearer token read /metrics; without one, only this machine reads it
    #[arg(long, env = "PARLOR_METRICS_TOKEN", value_name = "TOKEN", value_parser = bearer_token, hide_env_values = true)]
    pub metrics_token: Option<Secret>,

    /// Media threads; each uses its own UDP port, counting up from the listening port. 0: all cores but one
    #[arg(
        long,
        env = "PARLOR_MEDIA_WORKERS",
        value_name = "N",
        default_value_t = 0
    )]
    pub media_workers: usize,
}

/// The data folder.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct DataConfig {
    /// Folder for the database, keys and recordings; created if missing
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

    /// Free disk space (MiB) required to start recording; recording stops at half of it
    #[arg(
        long,
        env = "PARLOR_MIN_FREE_MIB",
        value_name = "MIB",
        default_value_t = 512
    )]
    pub min_free_mib: u64,
}

/// The OpenTok project of the pages; with `--platform opentok`, the project there.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Keys")]
pub struct KeyConfig {
    /// API key of the pages, digits; generated on the first start if not set
    #[arg(long, env = "API_KEY", value_name = "DIGITS", requires = "api_secret")]
    pub api_key: Option<u32>,

    /// API secret of the pages, without dots; generated on the first start if not set
    #[arg(
        long,
        env = "API_SECRET",
        value_name = "TEXT",
        hide_env_values = true,
        requires = "api_key"
    )]
    pub api_secret: Option<Secret>,

    /// Accept API calls with the X-TB-PARTNER-AUTH header of OpenTok SDKs from before 2016, which contains the secret
    #[arg(
        long,
        env = "PARLOR_LEGACY_AUTH",
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub legacy_auth: bool,
}

/// The format and the retention of archives.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Archives")]
pub struct ArchiveConfig {
    /// Resolution of the composed MP4: 640x480, 1280x720, 1920x1080, or one of these in portrait
    #[arg(
        long,
        env = "PARLOR_ARCHIVE_RESOLUTION",
        value_name = "WxH",
        default_value_t = Resolution::R640X480
    )]
    pub archive_resolution: Resolution,

    /// Days after which the files of an archive are deleted. 0: never
    #[arg(
        long,
        env = "PARLOR_ARCHIVE_KEEP_DAYS",
        value_name = "DAYS",
        default_value_t = 0
    )]
    pub archive_keep_days: u32,

    /// Maximum duration of an archive, in minutes. 0: no maximum
    #[arg(
        long,
        env = "PARLOR_ARCHIVE_MAX_MINUTES",
        value_name = "MINUTES",
        default_value_t = 240
    )]
    pub archive_max_minutes: u32,

    /// Archives per page of the history
    #[arg(long, env = "PARLOR_HISTORY_PAGE", value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub history_page: u32,

    /// Path of ffmpeg, which composes the MP4
    #[arg(
        long,
        env = "PARLOR_FFMPEG",
        value_name = "PATH",
        default_value = "ffmpeg"
    )]
    pub ffmpeg: PathBuf,

    /// Path of ffprobe [default: ffprobe in the same folder as ffmpeg]
    #[arg(long, env = "PARLOR_FFPROBE", value_name = "PATH")]
    pub ffprobe: Option<PathBuf>,
}

impl ArchiveConfig {
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

/// The webhooks to the servers of applications.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Callbacks")]
pub struct CallbackConfig {
    /// Also send events to private IP addresses, and copy archives from them. Anyone with an API key can then make Parlor send requests to this network
    #[arg(
        long,
        env = "PARLOR_CALLBACK_ALLOW_PRIVATE",
        value_name = "BOOL",
        default_value_t = false,
        num_args = 0..=1,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub callback_allow_private: bool,

    /// The delays before the second attempt to deliver an event, the third, …; empty: the defaults of
    /// [`Schedule`](crate::callback::Schedule). Only for tests.
    #[arg(skip)]
    pub retry_delays: Vec<Duration>,

    /// The delays between the probes of a failing URL; empty: the defaults. Only for tests.
    #[arg(skip)]
    pub probe_delays: Vec<Duration>,
}

/// The video platform, which carries calls and archives.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Video platform")]
pub struct PlatformConfig {
    /// Video platform. embedded: this server. opentok: a server with OpenTok's API (the OpenTok cloud or another Parlor), with --api-key and --api-secret of a project there
    #[arg(
        long = "platform",
        env = "PLATFORM",
        value_name = "NAME",
        value_enum,
        default_value_t = PlatformKind::Embedded
    )]
    pub kind: PlatformKind,

    /// URL of the API of --platform opentok
    #[arg(long, env = "OPENTOK_API_URL", value_name = "URL", default_value = opentok::API_URL, value_parser = http_url)]
    pub opentok_api_url: String,

    /// URL of the browser library of --platform opentok [default: the cloud's, or the one of the server at --opentok-api-url]
    #[arg(long, env = "OPENTOK_JS_URL", value_name = "URL", value_parser = http_url)]
    pub opentok_js_url: Option<String>,

    /// Copy the files of archives from --platform opentok into the data folder
    #[arg(
        long,
        env = "ARCHIVE_PULL",
        value_name = "BOOL",
        default_value_t = false,
        action = clap::ArgAction::Set
    )]
    pub archive_pull: bool,
}

/// The kind of video platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PlatformKind {
    Embedded,
    Opentok,
}

impl PlatformConfig {
    /// Returns the URL of the browser library of the platform `opentok`.
    pub fn library(&self) -> String {
        match &self.opentok_js_url {
            Some(given) => given.clone(),
            None if self.opentok_api_url == opentok::API_URL => CLOUD_LIBRARY.to_owned(),
            None => format!("{}/v2/js/opentok.min.js", self.opentok_api_url),
        }
    }
}

impl KeyConfig {
    /// Returns settings without a key.
    pub fn none() -> KeyConfig {
        KeyConfig {
            api_key: None,
            api_secret: None,
            legacy_auth: true,
        }
    }
}

impl Default for Config {
    /// The settings of a server without flags. Unlike the command line, this reads no environment variables; a test holds the two
    /// together.
    fn default() -> Self {
        Config {
            network: NetworkConfig {
                listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
                public_url: None,
                public_address: Vec::new(),
                media_address: Vec::new(),
                trusted_proxies: TrustedProxies::default(),
                metrics_token: None,
                media_workers: 0,
            },
            data: DataConfig {
                folder: PathBuf::from("data"),
                new_database: false,
                min_free_mib: 512,
            },
            keys: KeyConfig {
                api_key: None,
                api_secret: None,
                legacy_auth: true,
            },
            archives: ArchiveConfig {
                archive_resolution: Resolution::R640X480,
                archive_keep_days: 0,
                archive_max_minutes: 240,
                history_page: 5,
                ffmpeg: PathBuf::from("ffmpeg"),
                ffprobe: None,
            },
            callbacks: CallbackConfig::default(),
            platform: PlatformConfig {
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
    /// Whether clients reach Parlor over TLS, so that cookies can be `Secure`.
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
    use super::*;

    fn check(line: &str) -> Result<CommandLine, clap::Error> {
        CommandLine::check(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_guide_lists_every_setting() {
        let guide = include_str!("../docs/running.md");
        let command = CommandLine::command();
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long() else {
                continue;
            };
            if ["help", "version"].contains(&flag) {
                continue;
            }
            let row = guide
                .lines()
                .find(|line| {
                    line.starts_with(&format!("| `--{flag}")) && line.matches('|').count() == 5
                })
                .unwrap_or_else(|| panic!("docs/running.md lacks --{flag}"));
            if let Some(variable) = argument.get_env() {
                let variable = format!("`{}`", variable.to_string_lossy());
                assert!(row.contains(&variable), "{row}");
            }
        }
    }

    #[test]
    fn a_command_shows_its_own_options_only() {
        let mut command = CommandLine::command();
        command.build();
        for name in ["moderator", "keys"] {
            let command = command.find_subcommand_mut(name).unwrap();
            let help = command.render_long_help().to_string();
            assert!(help.contains("--data"), "{help}");
            assert!(
                !help.contains("--listen") && !help.contains("--ffmpeg"),
                "{help}"
            );
            assert!(help.contains("beside a running server"), "{help}");
        }
    }

    #[test]
    fn options_of_the_server_stand_with_or_without_serve() {
        let listen = |line: &str| {
            let line = check(line).unwrap();
            match line.command {
                Some(Command::Serve(config)) => config.network.listen.port(),
                _ => line.config.network.listen.port(),
            }
        };
        assert_eq!(listen("parlor --listen 127.0.0.1:99"), 99);
        assert_eq!(listen("parlor serve --listen 127.0.0.1:99"), 99);
        let refused = check("parlor --listen 127.0.0.1:99 serve").unwrap_err();
        assert!(refused.to_string().contains("behind `serve`"), "{refused}");
        let folder = check("parlor --data elsewhere serve").unwrap();
        let Some(Command::Serve(config)) = folder.command else {
            panic!("it serves");
        };
        assert_eq!(config.data.folder, PathBuf::from("elsewhere"));
    }

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
            let archives = ArchiveConfig {
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
}
