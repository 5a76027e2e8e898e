//! What our supervisorctl tells beyond the original's: why, listeners, check, JSON, patterns.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ironlance_e2e::{CtlFixture, Implementation, Recorder, TIMEOUT, TestDir, until};
use rustix::process::Signal;
use serde_json::json;

/// Programs of every fate, by the time that [`ended`] has waited for them.
const FATES: &str = "[program:victim]\ncommand=sh -c 'echo working on it; echo oops >&2; exec sleep 1000'\nstartsecs=0\n\
    autorestart=true\nstdout_logfile={dir}/victim.out\nstderr_logfile={dir}/victim.err\n\
    [program:three]\ncommand=sh -c 'seq 100; echo last words; exit 3'\nstartsecs=0\nautorestart=false\n\
    [program:done]\ncommand=sh -c 'exit 0'\nstartsecs=0\nautorestart=unexpected\n\
    [program:nowhere]\ncommand=/no/such/command\nstartretries=0\n\
    [program:up]\ncommand=sleep 1000\nstartsecs=0\n\
    [program:never]\ncommand=sleep 1000\nautostart=false\n";

/// A daemon on which they have all met their fate.
fn ended(implementation: Implementation) -> CtlFixture {
    let fixture = CtlFixture::new(implementation, FATES).unwrap();
    let daemon = &fixture.daemon;
    for (name, state) in [("three", "EXITED"), ("done", "EXITED"), ("nowhere", "FATAL"), ("up", "RUNNING")] {
        daemon.wait_state(name, state).unwrap();
    }
    daemon.wait_file("victim.out", "working on it").unwrap();
    daemon.wait_file("victim.err", "oops").unwrap();
    let before = daemon.hit("victim", Signal::KILL).unwrap();
    until("the next victim", TIMEOUT, || {
        let is_next = daemon.pid_of("victim")? != before && daemon.state("victim")? == "RUNNING";
        Ok(is_next.then_some(()))
    })
    .unwrap();
    fixture
}

/// Fails unless a line begins with the first of these and contains the others.
fn assert_says(line: &str, pieces: &[&str]) {
    assert!(line.starts_with(pieces[0]), "{line:?} {pieces:?}");
    assert!(pieces.iter().all(|piece| line.contains(piece)), "{line:?} {pieces:?}");
}

#[test]
fn why_has_the_answer_in_its_first_line_whatever_happened() {
    let mut fixture = ended(Implementation::Ours);
    for (name, pieces) in [
        ("victim", &["victim: killed by SIGKILL after ", "; restarted once; RUNNING again since "][..]),
        ("three", &["three: ended with exit status 3 after ", "; EXITED since "]),
        ("done", &["done: ended as expected, with exit status 0, after "]),
        (
            "nowhere",
            &["nowhere: cannot be started: can't find command '/no/such/command'; supervisord has given up"],
        ),
        ("up", &["up: has not ended since supervisord started; RUNNING since "]),
        ("never", &["never: has never been started"]),
    ] {
        let (status, lines) = fixture.lines(&format!("why {name}")).unwrap();
        assert_eq!(status, 0);
        assert_says(&lines[0], pieces);
    }
    let (_, lines) = fixture.lines("why victim").unwrap();
    let has = |piece: &str| lines.iter().any(|line| line.contains(piece));
    assert!(has(": terminated by SIGKILL, which supervisord did not send"), "{lines:#?}");
    assert!(has("started    twice"), "{lines:#?}");
    assert_eq!(lines[lines.len() - 4..], ["  stdout", "  | working on it", "  stderr", "  | oops"]);
    // The end of much output is enough.
    let (_, lines) = fixture.lines("why three").unwrap();
    let tail = ["95", "96", "97", "98", "99", "100", "last words"].map(|line| format!("  | {line}"));
    assert_eq!((lines[lines.len() - 8].as_str(), &lines[lines.len() - 7..]), ("  stdout", &tail[..]));
    // What was told to stop has ended as it should.
    fixture.run("stop up").unwrap();
    let (_, lines) = fixture.lines("why up").unwrap();
    assert_says(&lines[0], &["up: stopped by ", ", with SIGTERM, after ", "; STOPPED since "]);
}

#[test]
fn why_takes_several_names_all_none_and_unknown_ones() {
    let mut fixture = ended(Implementation::Ours);
    let heads = |lines: &[String]| -> Vec<String> {
        let screens = lines.split(String::is_empty).filter_map(|screen| screen.first());
        screens.map(|line| line.split(':').next().unwrap_or_default().to_owned()).collect()
    };
    for line in ["why", "why all"] {
        let (status, lines) = fixture.lines(line).unwrap();
        assert_eq!((status, heads(&lines)), (0, ["nowhere", "three", "victim"].map(str::to_owned).to_vec()));
    }
    let (status, lines) = fixture.lines("why up three").unwrap();
    assert_eq!((status, heads(&lines)), (0, vec!["up".to_owned(), "three".to_owned()]));
    let (status, lines) = fixture.lines("why n*").unwrap();
    assert_eq!((status, heads(&lines)), (0, vec!["never".to_owned(), "nowhere".to_owned()]));
    let (status, lines) = fixture.lines("why nobody up").unwrap();
    assert_eq!((status, lines[0].as_str()), (1, "nobody: ERROR (no such process)"));
    assert_eq!(heads(&lines)[1..], ["up"]);
    let (status, lines) = fixture.lines("why --nonsense").unwrap();
    assert_eq!((status, lines[0].as_str()), (2, "Error: why has no option --nonsense"));
    // Where all is well that is said.
    let mut well = CtlFixture::new(Implementation::Ours, "[program:up]\ncommand=sleep 1000\n").unwrap();
    let printed = vec!["No process has ended unexpectedly.".to_owned()];
    assert_eq!(well.lines("why").unwrap(), (0, printed));
}

#[test]
fn why_in_json_has_the_facts() {
    let mut fixture = ended(Implementation::Ours);
    let (status, objects) = fixture.objects("why --json victim three nowhere never").unwrap();
    assert_eq!(status, 0);
    let [victim, three, nowhere, never] = objects.as_slice() else { panic!("{objects:#?}") };
    assert_eq!(victim["end"]["signal"], json!("SIGKILL"));
    assert_eq!(victim["end"]["status"], json!(null));
    assert_eq!((&victim["end"]["told"], &victim["end"]["expected"]), (&json!(false), &json!(false)));
    assert_eq!((&victim["starts"], &victim["state"]), (&json!(2), &json!("RUNNING")));
    assert_eq!((&victim["stdout_tail"], &victim["stderr_tail"]), (&json!("working on it"), &json!("oops")));
    assert!(victim["end"]["uptime"].as_f64().unwrap() > 0.0 && victim["pid"].as_i64().unwrap() > 1);
    assert_eq!((&three["end"]["status"], &three["end"]["signal"]), (&json!(3), &json!(null)));
    assert_eq!((&three["pid"], &three["namespec"]), (&json!(null), &json!("three")));
    assert_eq!((&nowhere["end"], &nowhere["starts"]), (&json!(null), &json!(0)));
    assert_eq!(nowhere["spawnerr"], json!("can't find command '/no/such/command'"));
    assert_eq!((&never["end"], &never["state"]), (&json!(null), &json!("STOPPED")));
    let (status, objects) = fixture.objects("why --json nobody").unwrap();
    assert_eq!((status, objects.len()), (1, 0));
    assert_eq!(fixture.objects("why --json").unwrap().1.len(), 3);
}

#[test]
fn why_tells_what_pythons_daemon_knows() {
    let mut fixture = ended(Implementation::Original);
    let (status, lines) = fixture.lines("why three").unwrap();
    assert_eq!(status, 0);
    assert_says(&lines[0], &["three: ended with exit status 3 after ", "; EXITED since "]);
    assert!(lines.iter().any(|line| line == "  | last words"), "{lines:#?}");
    assert_says(lines.last().unwrap(), &["(The rest, ", "is known to ironlance's supervisord only.)"]);
    let (status, lines) = fixture.lines("why nowhere").unwrap();
    assert_eq!(status, 0);
    assert_says(&lines[0], &["nowhere: cannot be started: can't find command '/no/such/command'"]);
    let (status, lines) = fixture.lines("why victim nobody").unwrap();
    assert_eq!((status, lines[0].as_str()), (1, "nobody: ERROR (no such process)"));
    assert_says(&lines[2], &["victim: last ended at "]);
    let (_, objects) = fixture.objects("why --json").unwrap();
    let facts: Vec<_> = objects.iter().map(|one| (&one["name"], &one["starts"], &one["end"])).collect();
    let null = json!(null);
    assert_eq!(facts, [(&json!("nowhere"), &null, &null), (&json!("three"), &null, &null)]);
}

/// Sequences, a title, C1 controls as bytes and as characters, a turn of direction, a question to the terminal, and
/// one that is never finished.
const HOSTILE: &str = r"\033[31mred\033[0m \033]0;title\007 \302\2332J \2332J \342\200\256turned \033[6nasked \033[38;5;\nthe reason\033P\n";

#[test]
fn output_of_a_program_is_not_obeyed_by_the_terminal_and_no_word_of_it_is_lost() {
    let config = "[program:evil]\ncommand=sh -c 'printf \"$(cat {dir}/hostile)\"; exit 1'\nstartsecs=0\nautorestart=false\n";
    for implementation in Implementation::BOTH {
        let dir = TestDir::new().unwrap();
        // The original cannot send what is not UTF-8.
        let text = if implementation == Implementation::Original {
            HOSTILE.replace(r" \2332J", "")
        } else {
            HOSTILE.to_owned()
        };
        dir.write("hostile", &text).unwrap();
        let mut fixture = CtlFixture::within(dir, implementation, config).unwrap();
        fixture.daemon.wait_state("evil", "EXITED").unwrap();
        let text = fixture.run("why evil").unwrap().text();
        for word in ["red", "title", "turned", "asked", "the reason"] {
            assert!(text.contains(word), "{word} {text:?}");
        }
        let objects = fixture.run("why --json evil").unwrap().text();
        for text in [&text, &objects] {
            let is_obeyed = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
            assert!(!text.contains(is_obeyed), "{text:?}");
        }
        let mut terminal = fixture.on_terminal("why evil", "xterm", &[("NO_COLOR", "1")]).unwrap();
        assert_eq!(terminal.end().unwrap(), 0);
        let shown = String::from_utf8_lossy(terminal.bytes()).into_owned();
        assert!(!shown.contains(['\x1b', '\u{9b}', '\u{202e}', '\x07']), "{shown:?}");
    }
}

#[test]
fn listeners_that_are_unwell_are_marked() {
    let dir = TestDir::new().unwrap();
    let well = Recorder::new(&dir, "well", "").unwrap();
    let config = format!(
        "{}[eventlistener:mute]\ncommand=sleep 1000\nevents=REMOTE_COMMUNICATION\nbuffer_size=2\nstartsecs=0\n",
        well.section("well", "REMOTE_COMMUNICATION")
    );
    let mut fixture = CtlFixture::within(dir, Implementation::Ours, &config).unwrap();
    fixture.daemon.wait_state("mute", "RUNNING").unwrap();
    fixture.daemon.wait_state("well", "RUNNING").unwrap();
    let send = |fixture: &CtlFixture, data: &str| {
        fixture.daemon.send_remote_event("t", data).unwrap();
        well.wait(data, |event| event.body.ends_with(data)).unwrap();
    };
    // RecordedEvent is not answered yet: the listener is READY again when its next line says so.
    let settled = |fixture: &mut CtlFixture, pending: &str| {
        until("the listeners to settle", TIMEOUT, || {
            let (status, lines) = fixture.lines("listeners")?;
            assert_eq!(status, 0);
            let is_ready = lines.iter().any(|line| line.starts_with("well") && line.contains("READY  "));
            Ok((is_ready && lines.iter().any(|line| line.contains(pending))).then_some(lines))
        })
        .unwrap()
    };
    send(&fixture, "first");
    let lines = settled(&mut fixture, "1/2");
    assert_says(&lines[0], &["LISTENER  STATE", "PENDING", "LAST RESULT"]);
    assert_eq!(lines[2], "  ! has not said READY; 1 event waiting");
    assert_says(&lines[3], &["well      READY         -      0/1000   0        0       1         OK"]);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    for data in ["second", "third", "fourth"] {
        send(&fixture, data);
    }
    let lines = settled(&mut fixture, "2/2");
    assert_eq!(
        lines[2],
        "  ! has not said READY; its buffer is full; 2 events lost (2 REMOTE_COMMUNICATION)"
    );
    // It runs, and `why` knows better.
    let (_, lines) = fixture.lines("why mute").unwrap();
    assert_says(&lines[0], &["mute: has not ended since supervisord started; RUNNING since "]);
    assert_eq!(
        lines[2],
        "  listener   ! has not said READY; its buffer is full; 2 events lost (2 REMOTE_COMMUNICATION)"
    );
    let (_, objects) = fixture.objects("why --json mute well").unwrap();
    let wrong = json!(["has not said READY", "its buffer is full", "2 events lost (2 REMOTE_COMMUNICATION)"]);
    assert_eq!((&objects[0]["listener"], &objects[1]["listener"]), (&wrong, &json!([])));
    let (status, objects) = fixture.objects("listeners --json").unwrap();
    let [mute, well] = objects.as_slice() else { panic!("{objects:#?}") };
    assert_eq!(
        (status, &mute["pending"], &mute["dropped"], &mute["event"]),
        (0, &json!(2), &json!(2), &json!(null))
    );
    assert_eq!(
        (&well["answered"], &well["last_result"], &well["wrong"]),
        (&json!(4), &json!("OK"), &json!([]))
    );
    let mut terminal = fixture.on_terminal("listeners", "xterm", &[]).unwrap();
    assert_eq!(terminal.end().unwrap(), 0);
    assert!(String::from_utf8_lossy(terminal.bytes()).contains("\x1b[31m! has not said READY"));
    assert_eq!(fixture.lines("listeners mute").unwrap().0, 1);
}

#[test]
fn no_listeners_and_a_daemon_that_does_not_tell_are_a_line_each() {
    let mut none = CtlFixture::new(Implementation::Ours, "").unwrap();
    assert_eq!(none.lines("listeners").unwrap(), (0, vec!["No event listeners.".to_owned()]));
    assert_eq!(none.objects("listeners --json").unwrap(), (0, Vec::new()));
    let mut python = CtlFixture::new(Implementation::Original, "").unwrap();
    for line in ["listeners", "listeners --json", "events", "events --json"] {
        let (status, lines) = python.lines(line).unwrap();
        assert_eq!((status, lines.len()), (3, 1), "{lines:#?}");
        assert_says(&lines[0], &["This supervisord does not tell ", "ironlance's does"]);
    }
}

#[test]
fn check_shows_all_faults_at_once_and_needs_no_daemon() {
    let mut fixture = CtlFixture::new(
        Implementation::Ours,
        "[program:a]\ncommand=sleep 1000\nnumprocs=2\nprocess_name=%(process_num)s\n[program:b]\ncommand=cat\n",
    )
    .unwrap();
    fixture.daemon.stop().unwrap();
    let sound = "supervisord.conf: no faults; 3 processes in 2 groups".to_owned();
    assert_eq!(fixture.lines("check").unwrap(), (0, vec![sound.clone()]));
    fixture
        .dir
        .write("bad.conf", "[supervisord]\n[program:a]\npriority=x\n[program:b]\ncommand=cat\nstartsecs=y\n")
        .unwrap();
    let faults = [
        "bad.conf:3: [program:a] priority: cannot read as a whole number: x",
        "bad.conf:2: [program:a] command: cannot run a program without a command",
        "bad.conf:6: [program:b] startsecs: cannot read as a whole number: y",
    ];
    assert_eq!(fixture.lines("check bad.conf").unwrap(), (2, faults.map(str::to_owned).to_vec()));
    // Without -c the file is looked for where the daemon does; a file of -c may be as broken as it likes.
    for (args, status, lines) in [
        (&["check"][..], 0, vec![sound]),
        (&["check", "bad.conf"], 2, faults.map(str::to_owned).to_vec()),
        (&["-c", "bad.conf", "check"], 2, faults.map(str::to_owned).to_vec()),
    ] {
        let mut ctl = ironlance_e2e::Ctl::new(Implementation::Ours);
        let output = ctl.run(&fixture.dir, args, b"", &[]).unwrap();
        assert_eq!(
            (output.status, output.text().lines().collect::<Vec<_>>()),
            (status, lines.iter().map(String::as_str).collect()),
            "{args:?}"
        );
    }
    let (status, lines) = fixture.lines("check none.conf").unwrap();
    assert_eq!(status, 2);
    assert_says(&lines[0], &["none.conf: cannot read the file: "]);
    let (status, lines) = fixture.lines("check a b").unwrap();
    assert_eq!((status, lines[0].as_str()), (2, "Error: check accepts one file"));
}

/// What INI lets through as a name, and JSON, HTML or a terminal may stumble over.
const ODD: [&str; 6] =
    ["<i>&amp;", "a\"b\\c", "long-long-long-long-long-long-long-long", "rl\u{202e}o\u{9b}x", "é", "队列"];

#[test]
fn status_in_json_carries_any_name() {
    let sections: String =
        ODD.iter().map(|name| format!("[program:{name}]\ncommand=sleep 1000\nstartsecs=0\n")).collect();
    for (implementation, starts) in
        [(Implementation::Ours, json!(1)), (Implementation::Original, json!(null))]
    {
        let mut fixture = CtlFixture::new(implementation, &sections).unwrap();
        ODD.iter().for_each(|name| {
            fixture.daemon.wait_state(name, "RUNNING").unwrap();
        });
        let (status, objects) = fixture.objects("status --json").unwrap();
        assert_eq!(status, 0);
        let mut names: Vec<&str> = objects.iter().map(|one| one["namespec"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ODD);
        for one in &objects {
            let pid = fixture.daemon.pid_of(one["name"].as_str().unwrap()).unwrap();
            assert_eq!(
                (&one["pid"], &one["state"], &one["starts"]),
                (&json!(pid), &json!("RUNNING"), &starts)
            );
            assert!(one["uptime"].as_i64().unwrap() >= 0 && one["description"].is_string());
        }
        let (status, objects) = fixture.objects("status --json 队列 nobody").unwrap();
        assert_eq!((status, objects.len(), &objects[0]["group"]), (4, 1, &json!("队列")));
        assert_eq!(fixture.objects("status --json nobody").unwrap(), (4, Vec::new()));
        // In a pipe the original's bytes, on a terminal nothing that it would obey, and columns that stand.
        let mut terminal = fixture.on_terminal("status", "dumb", &[]).unwrap();
        assert_eq!(terminal.end().unwrap(), 0);
        let shown = String::from_utf8_lossy(terminal.bytes()).into_owned();
        assert!(
            shown.contains(r"rl\u{202e}o\u{9b}x ") && !shown.contains(['\u{202e}', '\u{9b}']),
            "{shown:?}"
        );
        assert!(shown.contains(&format!("\n{}   RUNNING   pid", ODD[2])), "{shown:?}");
        assert!(shown.contains(&format!("\n队列{}RUNNING   pid", " ".repeat(38))), "{shown:?}");
        for (line, printed) in [
            ("stop rl*", r"rl\u{202e}o\u{9b}x: stopped"),
            ("start rl\u{202e}o\u{9b}x", r"rl\u{202e}o\u{9b}x: started"),
            ("start no\u{202e}body", r"no\u{202e}body: ERROR (no such process)"),
        ] {
            let mut terminal = fixture.on_terminal(line, "dumb", &[]).unwrap();
            terminal.end().unwrap();
            let shown = String::from_utf8_lossy(terminal.bytes()).into_owned();
            assert!(shown.contains(printed) && !shown.contains(['\u{202e}', '\u{9b}']), "{shown:?}");
        }
        let text = fixture.run("status 队列").unwrap().text();
        assert!(text.starts_with(&format!("队列{}RUNNING   pid", " ".repeat(31))), "{text:?}");
    }
}

#[test]
fn patterns_mean_who_fits_where_nobody_has_the_name() {
    let config = "[group:g]\nprograms=web1,web2\n[program:web1]\ncommand=sleep 1000\nstartsecs=0\n\
        [program:web2]\ncommand=sleep 1000\nstartsecs=0\n[program:web3]\ncommand=sleep 1000\nstartsecs=0\n\
        [program:db]\ncommand=sleep 1000\nstartsecs=0\n";
    let mut fixture = CtlFixture::new(Implementation::Ours, config).unwrap();
    fixture.daemon.wait_state("db", "RUNNING").unwrap();
    fixture.daemon.wait_state("web3", "RUNNING").unwrap();
    let long = "x".repeat(60);
    for (pattern, status, names) in [
        ("web*", 0, &["g:web1", "g:web2", "web3"][..]),
        ("g:*", 0, &["g:web1", "g:web2"]),
        ("g:", 0, &["g:web1", "g:web2"]),
        ("*:web[12]", 0, &["g:web1", "g:web2"]),
        ("web[!12]", 0, &["web3"]),
        ("?b", 0, &["db"]),
        ("zz*", 4, &["zz*:"]),
        ("zz:*", 4, &["zz:"]),
        (&long, 4, &[&format!("{long}:")]),
    ] {
        let (found, lines) = fixture.lines(&format!("status {pattern}")).unwrap();
        let first: Vec<&str> = lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!((found, first.as_slice()), (status, names), "{pattern}");
    }
    let output = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(fixture.lines("stop g:w*").unwrap(), (0, output("g:web1: stopped\ng:web2: stopped")));
    assert_eq!(
        fixture.lines("stop web3 zz*").unwrap(),
        (1, output("web3: stopped\nzz*: ERROR (no such process)"))
    );
    assert_eq!(
        fixture.lines("start web*").unwrap(),
        (0, output("g:web1: started\ng:web2: started\nweb3: started"))
    );
    assert_eq!(fixture.lines("signal USR1 zz*").unwrap().0, 1);
    assert_eq!(fixture.lines("status web* db").unwrap().1.len(), 4);
    let running = |name: &str| fixture.daemon.state(name).unwrap() == "RUNNING";
    assert!(["g:web1", "g:web2", "web3", "db"].into_iter().all(running));
}

#[test]
fn help_tells_a_person_what_is_ours_and_a_pipe_what_the_original_says() {
    let mut fixture = CtlFixture::new(Implementation::Ours, "").unwrap();
    let (_, piped) = fixture.lines("help start").unwrap();
    assert_eq!(piped.last().unwrap(), "start all\t\tStart all processes");
    let mut terminal = fixture.on_terminal("help start", "dumb", &[]).unwrap();
    assert_eq!(terminal.end().unwrap(), 0);
    let shown = String::from_utf8_lossy(terminal.bytes()).replace('\r', "");
    let behind = shown.strip_prefix(&piped.join("\n")).unwrap();
    assert!(behind.starts_with("\n\nironlance:\n--timeout <seconds>\tWait "), "{shown:?}");
}
