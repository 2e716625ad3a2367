//! The command line.

use std::{
    io::{IsTerminal, Read, stdin},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use parlor::{
    callback::{self, Topic},
    clock,
    config::{Command, CommandLine, Config, KeysCommand, ModeratorCommand},
    data::DataFolder,
    moderator,
    project::{self, Project},
    server::Server,
    telemetry,
};
use tokio::signal::unix::{SignalKind, signal};

/// The packet path allocates once or twice per packet.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let CommandLine { command, config } = CommandLine::parse_checked();
    let done = match command {
        None => serve(config).await,
        Some(Command::Serve(config)) => serve(*config).await,
        Some(Command::Moderator(command)) => change_moderators(&config, command).await,
        Some(Command::Keys { command }) => change_keys(&config, command).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config.log)?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let base = config.network.public_url.clone();
    let server = Server::start(config).await?;
    let base = base.unwrap_or_else(|| format!("http://{}", server.addr()));
    greet(&base, &server).await?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tokio::select! {
        () = server.stop() => {}
        _ = interrupt.recv() => say_error("stopped immediately; the next start completes the recordings"),
    }
    Ok(())
}

async fn greet(base: &str, server: &Server) -> anyhow::Result<()> {
    say(&format!("Parlor is running at {base}"));
    say(&format!("  participants  {base}/participant"));
    say(&format!("  host          {base}/host"));
    let db = server.app().db();
    if moderator::list(db).await?.is_empty() {
        let link = moderator::make_link(db, clock::now_ms()).await?;
        say("");
        say("Create your moderator account with this one-time link (valid for 1 hour):");
        say(&format!("  {base}/sign-in?link={link}"));
    }
    Ok(())
}

async fn change_moderators(config: &Config, command: ModeratorCommand) -> anyhow::Result<()> {
    let password = match &command {
        // The person may take minutes to type it, so it is read before the folder is opened.
        ModeratorCommand::Add { .. } => read_password()?,
        _ => String::new(),
    };
    let data = DataFolder::open_beside(&config.data.folder).await?;
    match command {
        ModeratorCommand::Add { name } => {
            moderator::put(&data.db, &name, &password, clock::now_ms()).await?;
            say(&format!("{name} can sign in with this password"));
        }
        ModeratorCommand::List => {
            for name in moderator::list(&data.db).await? {
                say(&name);
            }
        }
        ModeratorCommand::Remove { name } => {
            ensure!(
                moderator::remove(&data.db, &name).await?,
                "there is no moderator {name}; `parlor moderator list` lists them"
            );
            say(&format!("Removed moderator {name}"));
        }
        ModeratorCommand::Link { public_url } => {
            let link = moderator::make_link(&data.db, clock::now_ms()).await?;
            let base = public_url.or_else(|| config.network.public_url.clone());
            let base = base.unwrap_or_else(|| format!("http://{}", config.network.listen));
            say(&format!("{base}/sign-in?link={link}"));
        }
    }
    data.close().await;
    Ok(())
}

/// Reads the password: at a terminal hidden and twice, otherwise from standard input. It is never an argument: arguments
/// are in the list of processes and in the shell's history.
fn read_password() -> anyhow::Result<String> {
    let password = if stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        let repeated = rpassword::prompt_password("Repeat the password: ")?;
        ensure!(password == repeated, "the two passwords differ");
        password
    } else {
        let mut text = String::new();
        stdin()
            .take(4096)
            .read_to_string(&mut text)
            .context("reading the password from standard input")?;
        text.trim_end_matches(['\r', '\n']).to_owned()
    };
    ensure!(
        !password.is_empty(),
        "no password given (read from standard input); for example: echo 'a long password' | parlor moderator add NAME"
    );
    Ok(password)
}

async fn change_keys(config: &Config, command: Option<KeysCommand>) -> anyhow::Result<()> {
    let data = DataFolder::open_beside(&config.data.folder).await?;
    let now_ms = clock::now_ms();
    match command {
        None => show_key(&project::of_pages(&data.db, None, now_ms).await?),
        Some(KeysCommand::Add { name }) => {
            show_key(&project::add(&data.db, &name, now_ms).await?);
        }
        Some(KeysCommand::List) => {
            for project in project::list(&data.db).await? {
                let state = if project.is_revoked { " (revoked)" } else { "" };
                say(&format!("{} {}{state}", project.api_key, project.name));
            }
        }
        Some(KeysCommand::Renew { key }) => show_key(&project::renew(&data.db, key).await?),
        Some(KeysCommand::Revoke { key }) => {
            ensure!(
                config.keys.api_key != Some(key),
                "{key} is the key of the pages; start Parlor with another --api-key first"
            );
            project::revoke(&data.db, key, now_ms).await?;
            say(&format!("Revoked {key}"));
        }
        Some(KeysCommand::Callback {
            key,
            url,
            off,
            callback_allow_private,
        }) => {
            let allow_private = callback_allow_private || config.callbacks.callback_allow_private;
            change_callbacks(allow_private, &data, key, url.as_deref(), off).await?;
        }
    }
    data.close().await;
    Ok(())
}

async fn change_callbacks(
    allow_private: bool,
    data: &DataFolder,
    key: u32,
    url: Option<&str>,
    off: bool,
) -> anyhow::Result<()> {
    ensure!(
        project::find(&data.db, key).await?.is_some(),
        "there is no key {key}; `parlor keys list` lists the keys of applications"
    );
    if off {
        callback::unregister_all(&data.db, key).await?;
        say(&format!("Callbacks disabled for {key}"));
    } else if let Some(url) = url {
        callback::check_url(url, allow_private)?;
        callback::register(&data.db, key, &Topic::ALL, url, clock::now_ms()).await?;
        say(&format!(
            "Sending all events of {key} to {url}, signed with its secret"
        ));
    } else {
        for callback in callback::list(&data.db, key).await? {
            say(&format!("{} {}", callback.topic, callback.url));
        }
    }
    Ok(())
}

/// The only time that a secret is shown.
fn show_key(project: &Project) {
    say(&format!("API_KEY={}", project.api_key));
    say(&format!("API_SECRET={}", project.api_secret.expose()));
}

#[expect(
    clippy::print_stdout,
    reason = "the command line answers on the terminal"
)]
fn say(line: &str) {
    println!("{line}");
}

#[expect(
    clippy::print_stderr,
    reason = "the command line answers on the terminal"
)]
fn say_error(line: &str) {
    eprintln!("parlor: {line}");
}
