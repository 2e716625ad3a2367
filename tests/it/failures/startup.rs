//! A server that cannot start says why, and what to do. One that starts for the first time lets
//! somebody in, once.

use std::{
    fs::{self, Permissions},
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use parlor::moderator::SHORTEST_PASSWORD;
use reqwest::StatusCode;

use crate::{
    people::Visitor,
    process::{Data, Process},
};

fn refused_at(port: u16) -> String {
    let data = Data::empty();
    let listen = format!("127.0.0.1:{port}");
    let data = data.path();
    let data = data.to_str().unwrap();
    let (code, complaint) = Process::fail(&["--listen", &listen, "--data", data]);
    assert_eq!(code, 1, "{complaint}");
    complaint
}

#[test]
fn a_port_that_is_in_use_is_told_with_the_way_out() {
    let pages = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = pages.local_addr().unwrap().port();
    let complaint = refused_at(port);
    let told = format!("parlor: port {port} is in use (TCP): stop the other program");
    assert!(complaint.contains(&told), "{complaint}");
    let other = format!("--listen 127.0.0.1:{}", port.wrapping_add(1).max(1024));
    assert!(complaint.contains(&other), "{complaint}");
}

#[test]
fn a_media_port_that_is_in_use_is_told_likewise() {
    // A connection of somebody else may have the same port, which is told first.
    let mut tries = (0..10).map(|_| {
        let media = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = media.local_addr().unwrap().port();
        (port, refused_at(port))
    });
    let is_of_media = |(_, complaint): &(u16, String)| !complaint.contains("(TCP)");
    let (port, complaint) = tries.find(is_of_media).expect("a port for pages");
    let told = format!("parlor: port {port} is in use (UDP): stop the other program");
    assert!(complaint.contains(&told), "{complaint}");
}

#[test]
fn a_data_folder_that_cannot_be_written_is_told_by_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let inside_file = file.path().join("data");
    // Where not even root makes folders.
    let folders = [file.path(), &inside_file, "/proc/parlor".as_ref()];
    for folder in folders {
        let folder = folder.to_str().unwrap();
        let (code, complaint) = Process::fail(&["--listen", "127.0.0.1:0", "--data", folder]);
        assert_eq!(code, 1, "{complaint}");
        let told = format!("parlor: cannot create the data folder {folder}: ");
        assert!(complaint.contains(&told), "{complaint}");
        assert!(complaint.contains("--data FOLDER"), "{complaint}");
    }
}

/// Somebody else's folder, and a file system that is read-only; only root can make these.
#[tokio::test]
async fn a_data_folder_of_another_user_is_told_with_cause_path_and_remedy() {
    let data = Data::with_moderator().await;
    let path = data.path();
    let folder = path.to_str().unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--data", folder];
    let nobody = ["setpriv", "--reuid", "65534", "--clear-groups"];
    // The folder itself lets others in, as one that was made by hand.
    let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    open(path.parent().unwrap(), 0o755);
    open(&path, 0o755);
    let Some(complaint) = Process::fail_under(&nobody, &arguments) else {
        eprintln!("SKIPPED: only root may run as another user");
        return;
    };
    let told =
        format!("cannot write {folder}/parlor.lock: permission denied: run Parlor as the owner");
    assert!(complaint.contains(&told), "{complaint}");
    // A database that this user can read, but not write.
    for name in ["parlor.lock", "parlor.db"] {
        open(
            &path.join(name),
            if name == "parlor.lock" { 0o666 } else { 0o444 },
        );
    }
    open(&path.join("archives"), 0o755);
    open(&path, 0o777);
    let complaint = Process::fail_under(&nobody, &arguments).unwrap();
    let told = format!("cannot use the database {folder}/parlor.db: it is read-only: ");
    assert!(complaint.contains(&told), "{complaint}");
}

#[test]
fn a_setting_that_makes_no_sense_is_told_before_anything_starts() {
    let data = Data::empty();
    let data = data.path();
    let data = ["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let wrong: [(&[&str], &str); 5] = [
        (
            &["--archive-resolution", "640"],
            "'640' for '--archive-resolution",
        ),
        (&["--log", "parlor=loud"], "invalid log filter"),
        (&["--api-key", "12"], "--api-secret"),
        (&["--history-page", "0"], "--history-page"),
        (&["--listen", "here"], "--listen"),
    ];
    for (arguments, told) in wrong {
        let arguments = [
            &data[2 * usize::from(arguments[0] == "--listen")..],
            arguments,
        ]
        .concat();
        let (code, complaint) = Process::fail(&arguments);
        assert!(code > 0, "{arguments:?}");
        assert!(complaint.contains(told), "{arguments:?}: {complaint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_prints_a_link_that_makes_one_account() {
    let data = Data::empty();
    let mut server = Process::start(&data.path(), &[]);
    let line = server.line_with("/sign-in?link=");
    let (_, link) = line.trim().split_once("link=").unwrap();
    let form = [
        ("name", "First"),
        ("password", "correct horse"),
        ("link", link),
    ];

    let first = Visitor::at(&server.base);
    let page = first.page(&format!("/sign-in?link={link}")).await;
    assert!(page.contains("Create your account"), "{page}");
    // A password that will not do does not use the link up.
    let short = [("name", "First"), ("password", "short"), ("link", link)];
    let answer = first.post("/sign-in", &short).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let told = answer.text().await.unwrap();
    assert!(told.contains(&format!("at least {SHORTEST_PASSWORD} characters")));
    let answer = first.post("/sign-in", &form).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(first.get("/host").await.status(), StatusCode::OK);

    let second = Visitor::at(&server.base);
    let page = second.page(&format!("/sign-in?link={link}")).await;
    assert!(page.contains("This link was already used"), "{page}");
    let form = [("name", "Second"), form[1], form[2]];
    let answer = second.post("/sign-in", &form).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(second.get("/host").await.status(), StatusCode::SEE_OTHER);

    server.ask_to_stop();
    let (status, log) = server.ended();
    assert!(status.success(), "{log}");
    let mut again = Process::start(&data.path(), &[]);
    again.line_with("  host ");
    again.ask_to_stop();
    // Whoever has an account needs no link.
    assert!(!again.rest().contains("link="));
}
