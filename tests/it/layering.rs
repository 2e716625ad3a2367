//! Keeps the dependency arrows of `src/lib.rs` true.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Outside crates that belong to some parts of `src` and to no others.
const OUTSIDE: &[(&str, &[&str])] = &[
    (
        "actix_web",
        &["web", "api", "signaling", "server", "main.rs"],
    ),
    ("actix_http", &["signaling", "telemetry.rs"]),
    ("actix_session", &["web", "server"]),
    ("askama", &["web"]),
    ("str0m", &["sfu"]),
    ("mio", &["sfu"]),
    ("reqwest", &["opentok", "callback"]),
    ("roxmltree", &["opentok"]),
];

/// What each part of `src` may name of the others; a part that is not listed may name all.
const INSIDE: &[(&str, &[&str])] = &[
    ("opentok", &[]),
    ("common", &[]),
    ("presence", &["common", "opentok", "session"]),
    (
        "invitation",
        &["clock", "common", "opentok", "presence", "session"],
    ),
    ("project", &["config", "opentok"]),
    ("moderator", &["common"]),
    ("room", &["common", "opentok", "project", "session"]),
    ("session", &["clock", "common", "opentok"]),
    ("archive", &["common", "opentok", "session"]),
    ("archive_object", &["archive", "opentok", "session"]),
    ("sfu", &["archive", "opentok", "session"]),
    ("recorder", &["archive", "session"]),
    (
        "platform",
        &[
            "archive", "clock", "common", "opentok", "project", "room", "session",
        ],
    ),
    (
        "buddies",
        &[
            "archive",
            "clock",
            "common",
            "invitation",
            "opentok",
            "platform",
            "presence",
            "session",
        ],
    ),
    (
        "signaling",
        &["archive", "clock", "common", "opentok", "session"],
    ),
    (
        "callback",
        &[
            "archive",
            "archive_object",
            "common",
            "config",
            "opentok",
            "session",
        ],
    ),
];

#[test]
fn each_outside_crate_stays_at_its_edge() {
    let mut wrong = Vec::new();
    for (part, file, code) in sources() {
        for (name, allowed) in OUTSIDE {
            if names(&code, name) && !allowed.contains(&part.as_str()) {
                wrong.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn each_part_names_only_those_below_it() {
    let parts: Vec<String> = sources().map(|(part, ..)| stem(&part)).collect();
    let mut wrong = Vec::new();
    for (part, file, code) in sources() {
        let part = stem(&part);
        let Some((_, allowed)) = INSIDE.iter().find(|(name, _)| *name == part) else {
            continue;
        };
        for other in &parts {
            let named = names_part(&code, other);
            if *other != part && named && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{} names {other}", file.display()));
            }
        }
    }
    wrong.dedup();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn sql_stands_in_stores_only() {
    for (_, file, code) in sources() {
        let is_store = file.ends_with("store.rs") || file.parent().unwrap().ends_with("store");
        assert!(
            is_store
                || !code.contains("query!(")
                    && !code.contains("query_as!(")
                    && !code.contains("query_scalar!("),
            "{} has SQL outside a store",
            file.display()
        );
    }
}

#[test]
fn programs_are_started_in_one_place() {
    for (_, file, code) in sources() {
        assert!(
            !code.contains("Command::new") || file.ends_with("recorder/child_process.rs"),
            "{} starts a program",
            file.display()
        );
    }
}

/// Every file of `src` but tests: the part it belongs to, its path, and its code without comments.
fn sources() -> impl Iterator<Item = (String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    rust_files(&src).into_iter().filter_map(move |file| {
        let inside = file.strip_prefix(&src).unwrap();
        if inside
            .iter()
            .any(|part| part == "tests" || part == "tests.rs")
        {
            return None;
        }
        let part = inside.iter().next().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let code = text
            .split("#[cfg(test)]\nmod tests")
            .next()
            .unwrap()
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| format!("{line}\n"))
            .collect();
        Some((part, file, code))
    })
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Does the code say `crate::other::…`, or `use crate::{ other::… }` on however many lines?
fn names_part(code: &str, other: &str) -> bool {
    let uses = code
        .split("use crate::{")
        .skip(1)
        .map(|rest| rest.split(';').next().unwrap());
    let listed = uses.flat_map(str::lines).any(|line| {
        let line = line.trim_start_matches("    ");
        line.starts_with(&format!("{other}::"))
            || line.starts_with(&format!("{other}, "))
            || line.trim_end_matches(',') == other
    });
    listed
        || code.contains(&format!("crate::{other}::"))
        || code.contains(&format!("crate::{{{other}::"))
}

fn stem(part: &str) -> String {
    part.trim_end_matches(".rs").to_owned()
}

fn names(code: &str, name: &str) -> bool {
    code.contains(&format!("{name}::")) || code.contains(&format!("use {name};"))
}
