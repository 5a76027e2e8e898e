//! FastCGI sockets at the name of a host: it is looked up while the daemon goes on.

use std::net::TcpStream;

use ironlance_e2e::web_server::closed_port;
use ironlance_e2e::{Daemon, Implementation, TestDir};

#[test]
fn a_name_is_looked_up_for_all_of_the_group_and_one_that_leads_nowhere_ends_fatal() {
    let dir = TestDir::new().unwrap();
    let port = closed_port().unwrap();
    // No resolver is asked for a name with such a part.
    let nowhere = format!("{}.invalid", "x".repeat(70));
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "[fcgi-program:web]\ncommand=sleep 1000\nsocket=tcp://localhost:{port}\nnumprocs=3\n\
             process_name=web%(process_num)d\nstartsecs=0\nautostart=false\n\
             [fcgi-program:lost]\ncommand=sleep 1000\nsocket=tcp://{nowhere}:{port}\nstartretries=0\n"
        ),
    )
    .unwrap();
    daemon.wait_state("lost", "FATAL").unwrap();
    let why = daemon.info("lost", "spawnerr").unwrap().to_string();
    assert!(why.contains("cannot find the host of tcp://xxx"), "{why}");

    // The answer comes when they run, or have stopped; all of it on one lookup, and one socket.
    for _ in 0..3 {
        daemon.call("startProcessGroup", &["web".into()]).unwrap().unwrap();
        for name in ["web:web0", "web:web1", "web:web2"] {
            assert_eq!(daemon.state(name).unwrap(), "RUNNING");
        }
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        daemon.call("stopProcessGroup", &["web".into()]).unwrap().unwrap();
    }
    let opened =
        daemon.log_lines().iter().filter(|line| line.contains("Creating socket tcp://localhost")).count();
    assert_eq!(opened, 3, "{}", daemon.log());
    // A stop that comes before the name is known is not forgotten.
    for _ in 0..20 {
        daemon.call("startProcess", &["web:web0".into(), false.into()]).unwrap().unwrap();
        // By now it runs, or waits for its name.
        let _ = daemon.call("stopProcess", &["web:web0".into()]).unwrap();
        assert_eq!(daemon.state("web:web0").unwrap(), "STOPPED", "{}", daemon.log());
    }
}
