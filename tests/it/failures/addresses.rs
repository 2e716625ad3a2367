//! Addresses of the machine: which ones media listen on, also when they change. In network namespaces of the tests' own.

use std::{fs, net::Ipv4Addr, process::Command};

use crate::{
    people::until,
    process::{Data, Process},
};

/// A server in a network namespace with a loopback, an address and a second interface without one. `None`: this user may not make
/// namespaces.
fn start(data: &Data, flags: &[&str]) -> Option<Process> {
    let script = "ip link set lo up && ip link add d0 type veth peer name d1 && ip addr add 10.9.8.1/24 dev d0 \
                  && ip link set d0 up && ip link set d1 up && exec \"$0\" \"$@\"";
    let unshare = ["unshare", "--user", "--map-root-user", "--net"];
    let tried = run(&[&unshare[..], &["true"]].concat());
    if !tried {
        eprintln!("SKIPPED: this user may not make network namespaces");
        return None;
    }
    let prefix = [&unshare[..], &["sh", "-c", script]].concat();
    Some(Process::start_under(&prefix, &data.path(), flags))
}

fn run(words: &[&str]) -> bool {
    #[expect(clippy::disallowed_methods, reason = "sets up the network of a test")]
    let output = Command::new(words[0]).args(&words[1..]).output();
    output.is_ok_and(|output| output.status.success())
}

/// The local IPv4 addresses of a process' UDP sockets.
fn udp_addresses(pid: u32) -> Vec<Ipv4Addr> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/udp")).unwrap();
    let addresses = table.lines().skip(1).map(|line| {
        let local = line.split_whitespace().nth(1).unwrap();
        let address = u32::from_str_radix(local.split(':').next().unwrap(), 16).unwrap();
        Ipv4Addr::from(address.to_ne_bytes())
    });
    let mut addresses: Vec<_> = addresses.collect();
    addresses.sort();
    addresses
}

#[tokio::test(flavor = "multi_thread")]
async fn media_listen_where_the_setting_says() {
    for (listen, expected) in [
        ("127.0.0.1:0", vec![Ipv4Addr::LOCALHOST]),
        ("10.9.8.1:0", vec![Ipv4Addr::new(10, 9, 8, 1)]),
        (
            "0.0.0.0:0",
            vec![Ipv4Addr::new(10, 9, 8, 1), Ipv4Addr::LOCALHOST],
        ),
    ] {
        let data = Data::empty();
        let Some(server) = start(&data, &["--listen", listen]) else {
            return;
        };
        assert_eq!(udp_addresses(server.pid()), expected, "{listen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn media_listen_on_an_address_that_appears_later() {
    let data = Data::empty();
    let Some(server) = start(&data, &["--listen", "0.0.0.0:0"]) else {
        return;
    };
    let pid = server.pid().to_string();
    let enter = [
        "nsenter",
        "--target",
        &pid,
        "--user",
        "--net",
        "--preserve-credentials",
    ];
    let change = |words: &[&str]| assert!(run(&[&enter[..], words].concat()), "{words:?}");
    let has = |address: [u8; 4]| udp_addresses(server.pid()).contains(&Ipv4Addr::from(address));

    change(&["ip", "addr", "add", "10.9.9.1/24", "dev", "d1"]);
    until(async || has([10, 9, 9, 1])).await;

    // A new one takes the place of one that is gone.
    change(&["ip", "addr", "del", "10.9.9.1/24", "dev", "d1"]);
    change(&["ip", "addr", "add", "10.9.7.1/24", "dev", "d1"]);
    until(async || has([10, 9, 7, 1]) && !has([10, 9, 9, 1])).await;
    assert!(has([10, 9, 8, 1]));
}
