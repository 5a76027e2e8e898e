//! Listeners with odd habits, in several languages: their work is done, each event reaches them, and nothing storms.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::time::Duration;

use ironlance_e2e::xmlrpc::XmlValue;
use ironlance_e2e::{Daemon, Implementation, Recorder, TestDir, until};

/// The time limit of a listener that babbled, and more.
const LONG: Duration = Duration::from_secs(75);
const LIMIT: Duration = Duration::from_secs(30);

fn remote(daemon: &Daemon, data: &str) {
    daemon.send_remote_event("n", data).unwrap();
}

fn int(daemon: &Daemon, name: &str, member: &str) -> i64 {
    daemon.listener(name).unwrap().get(member).and_then(XmlValue::as_int).unwrap()
}

/// How often it was started.
fn starts(daemon: &Daemon, name: &str) -> usize {
    daemon.log().matches(&format!("spawned: '{name}' with pid")).count()
}

/// Waits until a file has so many lines, and gives them.
fn lines(daemon: &Daemon, file: &str, count: usize, limit: Duration) -> Vec<String> {
    let read = || daemon.file(file).lines().map(str::to_owned).collect::<Vec<_>>();
    until(
        &format!("{count} lines in {file}"),
        limit,
        || Ok(Some(read()).filter(|lines| lines.len() >= count)),
    )
    .unwrap_or_else(|error| panic!("{error:#}\n{:#?}\n{}", read(), daemon.log()))
}

/// Whether a language is there; what is not there cannot be tried.
fn has(language: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| Path::new(&folder).join(language).exists())
}

/// Listeners that write the data of each event to `{dir}/NAME.got` and end their answer with a newline too many.
fn newliners() -> Vec<(&'static str, &'static str)> {
    let all = [
        (
            "sh",
            "echo READY\nwhile read -r header; do\n  n=${header##*len:}\n  body=$(dd bs=1 count=$n 2>/dev/null)\n  \
             echo \"$body\" | tail -n1 >> $0.got\n  echo 'RESULT 2'; echo OK\n  echo READY\ndone",
        ),
        (
            "bash",
            "echo READY\nwhile IFS= read -r header; do\n  [[ $header =~ len:([0-9]+) ]]\n  \
             IFS= read -r -N \"${BASH_REMATCH[1]}\" body\n  echo \"${body##*$'\\n'}\" >> $0.got\n  \
             printf 'RESULT 2\\nOK\\n\\n'\n  echo READY\ndone",
        ),
        (
            "python3",
            "import sys\nwhile True:\n    print('READY'); sys.stdout.flush()\n    header = sys.stdin.readline()\n    \
             if not header: break\n    length = int(dict(t.split(':', 1) for t in header.split())['len'])\n    \
             body = sys.stdin.read(length)\n    open(sys.argv[0] + '.got', 'a').write(body.split('\\n')[-1] + '\\n')\n    \
             print('RESULT 2\\nOK'); sys.stdout.flush()",
        ),
        (
            "perl",
            "$| = 1; print \"READY\\n\";\nwhile (my $h = <STDIN>) {\n  my ($n) = $h =~ /len:(\\d+)/; read STDIN, my $body, $n;\n  \
             my @l = split /\\n/, $body; open my $f, '>>', \"$0.got\"; print $f \"$l[-1]\\n\"; close $f;\n  \
             print \"RESULT 2\\nOK\\r\\n\"; print \"READY\\n\";\n}",
        ),
        (
            "node",
            "let buffer = '';\nconsole.log('READY');\nprocess.stdin.setEncoding('utf8');\nprocess.stdin.on('data', (text) => {\n  \
             buffer += text;\n  for (;;) {\n    const end = buffer.indexOf('\\n');\n    if (end < 0) return;\n    \
             const n = Number(/len:(\\d+)/.exec(buffer.slice(0, end))[1]);\n    \
             if (buffer.length < end + 1 + n) return;\n    const body = buffer.slice(end + 1, end + 1 + n);\n    \
             buffer = buffer.slice(end + 1 + n);\n    \
             require('fs').appendFileSync(process.argv[1] + '.got', body.split('\\n').pop() + '\\n');\n    \
             console.log('RESULT 2\\nOK');\n    console.log('READY');\n  }\n});",
        ),
    ];
    all.into_iter().filter(|(language, _)| has(language)).collect()
}

#[test]
fn a_newline_too_many_in_any_language_costs_nothing_and_storms_nothing() {
    let dir = TestDir::new().unwrap();
    let mut sections = String::new();
    let newliners = newliners();
    for (language, program) in &newliners {
        let file = dir.write(&format!("l_{language}"), program).unwrap();
        sections += &format!(
            "[eventlistener:{language}]\ncommand={language} {}\nevents=PROCESS_STATE,REMOTE_COMMUNICATION\n",
            file.display()
        );
    }
    let daemon = Daemon::start(&dir, Implementation::Ours, &sections).unwrap();
    for (language, _) in &newliners {
        daemon.wait_state(language, "RUNNING").unwrap();
    }
    for number in 0..20 {
        remote(&daemon, &format!("number {number}"));
    }
    let expected: Vec<String> = (0..20).map(|number| format!("number {number}")).collect();
    for (language, _) in &newliners {
        let got = || {
            let all = daemon.file(&format!("l_{language}.got"));
            all.lines().filter(|line| line.starts_with("number")).map(str::to_owned).collect::<Vec<_>>()
        };
        until(&format!("all events at {language}"), LIMIT, || Ok((got().len() >= 20).then_some(())))
            .unwrap_or_else(|error| panic!("{error:#}\n{:?}\n{}", got(), daemon.log()));
        assert_eq!(got(), expected, "{language}");
        assert_eq!((starts(&daemon, language), int(&daemon, language, "babbles")), (1, 0), "{language}");
    }
    assert!(daemon.log().contains("white space between its answers"));
}

#[test]
fn the_original_is_mute_after_the_first_of_such_answers() {
    let dir = TestDir::new().unwrap();
    let (language, program) = newliners().into_iter().find(|(language, _)| *language == "python3").unwrap();
    let file = dir.write("l_python3", program).unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Original,
        &format!("[eventlistener:l]\ncommand={language} {}\nevents=REMOTE_COMMUNICATION\n", file.display()),
    )
    .unwrap();
    daemon.wait_state("l", "RUNNING").unwrap();
    for number in 0..3 {
        remote(&daemon, &format!("number {number}"));
    }
    daemon.wait_log("l: has entered the UNKNOWN state and will no longer receive events").unwrap();
    assert_eq!(lines(&daemon, "l_python3.got", 1, LIMIT), ["number 0"]);
    assert_eq!(daemon.state("l").unwrap(), "RUNNING");
}

#[test]
fn a_listener_that_prints_a_line_and_then_stops_its_container_is_not_ended_in_between() {
    let dir = TestDir::new().unwrap();
    let stopper = dir
        .script(
            "stopper",
            "echo READY; read -r header\necho 'a program died, stopping the container'\nsleep 0.3\nkill -QUIT $(cat \
             $(dirname $0)/supervisord.pid)\nsleep 100",
        )
        .unwrap();
    let mut daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!("[eventlistener:stopper]\ncommand={stopper}\nevents=REMOTE_COMMUNICATION\n"),
    )
    .unwrap();
    daemon.wait_state("stopper", "RUNNING").unwrap();
    remote(&daemon, "die");
    assert_eq!(daemon.wait_end().unwrap().code(), Some(0));
    assert!(
        daemon.log().contains("stopper: babbled: \"a program died, stopping the container\\n\"")
            || daemon.log().contains("stopper: babbled: \"a program died, stopping the container\""),
        "{}",
        daemon.log()
    );
}

#[test]
fn a_listener_that_prints_before_or_after_its_work_does_it_once_for_each_event() {
    let dir = TestDir::new().unwrap();
    let before = "echo 'starting up'\nprintf 'READY\\n'\nwhile read -r header; do\n  \
                  body=$(dd bs=1 count=${header##*len:} 2>/dev/null)\n  echo \"working on it\"\n  \
                  echo \"$body\" | tail -n1 >> $0.got\n";
    let habits = [
        ("line", "printf 'RESULT 2\\nOK'\n  printf 'READY\\n'\ndone"),
        ("glued", "printf 'still working...RESULT 2\\nOKREADY\\n'\ndone"),
        ("behind", "printf 'RESULT 2\\nOK and done\\nREADY\\n'\ndone"),
        ("twice", "printf 'RESULT 2\\nOKRESULT 2\\nOKREADY\\n'\ndone"),
        ("again", "printf 'RESULT 2\\nOKREADY\\n'; printf 'READY\\n'\ndone"),
        ("idle", "printf 'RESULT 2\\nOKREADY\\nwaiting for more\\n'\ndone"),
    ];
    let sections: String = habits
        .iter()
        .map(|(name, after)| {
            let script = dir.script(name, &format!("{before}  {after}")).unwrap();
            format!("[eventlistener:{name}]\ncommand={script}\nevents=REMOTE_COMMUNICATION,PROCESS_STATE\n")
        })
        .collect();
    let daemon = Daemon::start(&dir, Implementation::Ours, &sections).unwrap();
    for (name, _) in habits {
        daemon.wait_state(name, "RUNNING").unwrap();
    }
    for number in 0..5 {
        remote(&daemon, &format!("number {number}"));
    }
    for (name, _) in habits {
        let got = || {
            let all = daemon.file(&format!("{name}.got"));
            all.lines().filter(|line| line.starts_with("number")).map(str::to_owned).collect::<Vec<_>>()
        };
        until(&format!("all at {name}"), LIMIT, || Ok((got().len() >= 5).then_some(())))
            .unwrap_or_else(|error| panic!("{error:#}\n{}", daemon.log()));
        assert_eq!(got(), (0..5).map(|number| format!("number {number}")).collect::<Vec<_>>(), "{name}");
        assert_eq!(starts(&daemon, name), 1, "{name}");
        assert!(int(&daemon, name, "babbles") > 0, "{name}");
        assert!(daemon.log().contains(&format!("{name}: babbled: \"starting up")), "{}", daemon.log());
    }
}

#[test]
fn one_event_and_then_exit_is_a_way_to_work() {
    let dir = TestDir::new().unwrap();
    let once = dir
        .script(
            "once",
            "printf 'READY\\n'; read -r header; dd bs=1 count=${header##*len:} 2>/dev/null | tail -n1 >> $0.got\n\
             echo >> $0.got; printf 'RESULT 2\\nOK'; exit 0",
        )
        .unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!("[eventlistener:once]\ncommand={once}\nevents=REMOTE_COMMUNICATION,PROCESS_STATE\nautorestart=true\n"),
    )
    .unwrap();
    for number in 0..6 {
        remote(&daemon, &format!("number {number}"));
    }
    let got = || {
        let all = daemon.file("once.got");
        all.lines().filter(|line| line.starts_with("number")).map(str::to_owned).collect::<Vec<_>>()
    };
    until("six events", LIMIT, || Ok((got().len() >= 6).then_some(())))
        .unwrap_or_else(|error| panic!("{error:#}\n{}", daemon.log()));
    assert_eq!(got(), (0..6).map(|number| format!("number {number}")).collect::<Vec<_>>());
    // Its own exits do not come back to it, for ever.
    let before = starts(&daemon, "once");
    assert!(before <= 10, "{before} starts\n{}", daemon.log());
    assert!(!daemon.log().contains("BACKOFF") && daemon.state("once").unwrap() != "FATAL");
    until("all events to be dealt with", LIMIT, || Ok((int(&daemon, "once", "pending") == 0).then_some(())))
        .unwrap();
}

#[test]
fn a_listener_that_never_works_is_fatal_and_others_hear_of_it() {
    let dir = TestDir::new().unwrap();
    let usage = dir.script("usage", "echo 'usage: usage [-x]'; exit 2").unwrap();
    let slow = dir.script("slow", "sleep 1.2; echo 'usage: slow'; exit 2").unwrap();
    let witness = Recorder::new(&dir, "witness", "").unwrap();
    let section = |name: &str, command: &str, keys: &str| {
        format!("[eventlistener:{name}]\ncommand={command}\nevents=PROCESS_STATE\nstartretries=1\n{keys}")
    };
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "{}{}{}{}",
            section("quick", &usage, ""),
            section("always", &usage, "startsecs=0\nautorestart=true\n"),
            section("slow", &slow, "autorestart=true\n"),
            witness.section("witness", "PROCESS_STATE_FATAL,PROCESS_STATE_BACKOFF,PROCESS_STATE_STOPPED")
        ),
    )
    .unwrap();
    for name in ["quick", "always", "slow"] {
        witness
            .wait(&format!("FATAL of {name}"), |event| {
                event.name() == "PROCESS_STATE_FATAL" && event.body_token("processname") == Some(name)
            })
            .unwrap_or_else(|error| panic!("{error:#}\n{}", daemon.log()));
        assert_eq!(daemon.state(name).unwrap(), "FATAL");
        assert_eq!(starts(&daemon, name), 2, "{name}");
    }
    let babble = daemon.listener("quick").unwrap();
    assert_eq!(babble.get("babble").and_then(XmlValue::as_str), Some("usage: usage [-x]"), "{babble}");
    let events = witness.events().unwrap();
    let of = |kind: &str| events.iter().filter(|event| event.name() == kind).count();
    assert_eq!((of("PROCESS_STATE_BACKOFF"), of("PROCESS_STATE_STOPPED")), (6, 0));
}

#[test]
fn a_result_handler_of_ones_own_accepts_and_that_of_supervisor_stdout_prints() {
    let dir = TestDir::new().unwrap();
    // As the package's own listener: the answer is the event.
    let echo = dir
        .script(
            "echo",
            "printf 'READY\\n'\nwhile read -r header; do\n  n=${header##*len:}\n  printf 'RESULT %s\\n' $n\n  \
             dd bs=1 count=$n 2>/dev/null\n  printf 'READY\\n'\ndone",
        )
        .unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "[eventlistener:stdout]\ncommand={echo}\nevents=PROCESS_LOG\nresult_handler=supervisor_stdout:event_handler\n\
             [eventlistener:own]\ncommand={echo}\nevents=REMOTE_COMMUNICATION\nresult_handler=my.module:handler\n\
             [program:talker]\ncommand=sh -c 'read go; echo one; echo two; exec sleep 1000'\nstartsecs=0\n\
             stdout_events_enabled=true\n"
        ),
    )
    .unwrap();
    daemon.wait_state("talker", "RUNNING").unwrap();
    daemon.write_stdin("talker", "go\n").unwrap();
    until("the output", LIMIT, || Ok(daemon.stdout().contains("talker stdout | two\n").then_some(())))
        .unwrap_or_else(|error| panic!("{error:#}\n{}\n{}", daemon.stdout(), daemon.log()));
    assert!(daemon.stdout().contains("talker stdout | one\n"), "{}", daemon.stdout());
    for number in 0..5 {
        remote(&daemon, &number.to_string());
    }
    until("five answers", LIMIT, || Ok((int(&daemon, "own", "answered") == 5).then_some(()))).unwrap();
    let log = daemon.log();
    assert_eq!(log.matches("every RESULT counts as acceptance").count(), 1, "{log}");
    assert!(!log.contains("rejected"), "{log}");
}

#[test]
fn an_event_that_is_always_rejected_stops_no_other_and_ends_as_a_dead_letter() {
    let dir = TestDir::new().unwrap();
    let picky = dir
        .script(
            "picky",
            "printf 'READY\\n'\nwhile read -r header; do\n  body=$(dd bs=1 count=${header##*len:} 2>/dev/null | tail \
             -n1)\n  echo \"$body\" >> $0.got\n  case $body in\n    poison) printf 'RESULT 4\\nFAILREADY\\n' ;;\n    \
             deadly) exit 1 ;;\n    *) printf 'RESULT 2\\nOKREADY\\n' ;;\n  esac\ndone",
        )
        .unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!("[eventlistener:picky]\ncommand={picky}\nevents=REMOTE_COMMUNICATION\nstartsecs=0\n"),
    )
    .unwrap();
    daemon.wait_state("picky", "RUNNING").unwrap();
    for data in ["poison", "a", "deadly", "b", "c"] {
        remote(&daemon, data);
    }
    daemon.wait_log("dead letter: event 0 (REMOTE_COMMUNICATION) of pool picky was given 4 times").unwrap();
    daemon.wait_log("dead letter: event 2 (REMOTE_COMMUNICATION) of pool picky was given 4 times").unwrap();
    let got = lines(&daemon, "picky.got", 11, LIMIT);
    let count = |what: &str| got.iter().filter(|line| *line == what).count();
    assert_eq!(["poison", "deadly", "a", "b", "c"].map(count), [4, 4, 1, 1, 1], "{got:?}");
    // The others did not wait for the last try.
    assert!(
        got.iter().position(|line| line == "c") < got.iter().rposition(|line| line == "poison"),
        "{got:?}"
    );
    let info = daemon.listener("picky").unwrap();
    assert_eq!(info.get("dead_letters").and_then(XmlValue::as_int), Some(2), "{info}");
}

#[test]
fn a_listener_that_is_lost_is_recycled_after_half_a_minute_and_its_event_is_given_again() {
    let dir = TestDir::new().unwrap();
    // Each behaves the second time.
    let habits = [
        ("hangs", "echo 'hello, world'; exec sleep 1000"),
        ("short", "printf 'RESULT 20\\nOKREADY\\n'; exec sleep 1000"),
        ("closes", "exec >&-; exec sleep 1000"),
    ];
    let mut sections = String::new();
    for (name, habit) in habits {
        let script = dir
            .script(
                name,
                &format!(
                    "printf 'READY\\n'\nwhile read -r header; do\n  dd bs=1 count=${{header##*len:}} 2>/dev/null | tail \
                     -n1 >> $0.got; echo >> $0.got\n  if ! test -e $0.again; then touch $0.again; {habit}; fi\n  \
                     printf 'RESULT 2\\nOKREADY\\n'\ndone"
                ),
            )
            .unwrap();
        sections += &format!(
            "[eventlistener:{name}]\ncommand={script}\nevents=PROCESS_STATE_EXITED,PROCESS_STATE,REMOTE_COMMUNICATION\nstartsecs=0\nstopasgroup=true\n"
        );
    }
    let idle = dir.script("idle", "printf 'READY\\n'; exec >&-; exec sleep 1000").unwrap();
    sections += &format!("[eventlistener:idle]\ncommand={idle}\nevents=TICK_3600\nstartsecs=0\n");
    sections = sections.replace("PROCESS_STATE_EXITED,PROCESS_STATE,", "");
    let daemon = Daemon::start(&dir, Implementation::Ours, &sections).unwrap();
    for (name, _) in habits {
        daemon.wait_state(name, "RUNNING").unwrap();
    }
    remote(&daemon, "number 0");
    remote(&daemon, "number 1");
    // One that works on nothing is not waited for.
    daemon.wait_log("recycling the listener idle: it closed its stdout").unwrap();
    let reasons = [
        ("hangs", "babbled and then said neither RESULT nor READY"),
        ("short", "gave a RESULT that is shorter than it announced"),
        ("closes", "closed its stdout"),
    ];
    for (name, reason) in reasons {
        let got = || {
            let all = daemon.file(&format!("{name}.got"));
            all.lines().filter(|line| line.starts_with("number")).map(str::to_owned).collect::<Vec<_>>()
        };
        until(&format!("all at {name}"), LONG, || Ok((got().len() >= 3).then_some(())))
            .unwrap_or_else(|error| panic!("{error:#}\n{:?}\n{}", got(), daemon.log()));
        assert_eq!(got(), ["number 0", "number 0", "number 1"], "{name}");
        assert!(
            daemon.log().contains(&format!("recycling the listener {name}: it {reason}")),
            "{}",
            daemon.log()
        );
        let end = daemon.ask("ironlance.getProcessEnd", &[name.into()]).unwrap().unwrap();
        assert_eq!(end.get("recycled").and_then(XmlValue::as_str), Some(reason), "{end}");
        assert_eq!(end.get("told"), Some(&XmlValue::Bool(false)), "{end}");
    }
}

#[test]
fn restarts_for_a_broken_protocol_slow_down_and_do_not_feed_themselves() {
    let dir = TestDir::new().unwrap();
    let forgetful = dir.script("forgetful", "echo READY\nwhile read -r header; do echo READY; done").unwrap();
    let witness = Recorder::new(&dir, "witness", "").unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "[eventlistener:forgetful]\ncommand={forgetful}\nevents=PROCESS_STATE,REMOTE_COMMUNICATION\n{}",
            witness.section("witness", "PROCESS_STATE_BACKOFF")
        ),
    )
    .unwrap();
    daemon.wait_state("witness", "RUNNING").unwrap();
    remote(&daemon, "x");
    // Other pools see it wait: not at all, one second, two, four.
    let began = std::time::Instant::now();
    witness
        .wait_all("four BACKOFFs", |events| events.len() >= 4)
        .unwrap_or_else(|error| panic!("{error:#}\n{}", daemon.log()));
    assert!(began.elapsed() >= Duration::from_millis(2500), "{:?}\n{}", began.elapsed(), daemon.log());
    assert!(int(&daemon, "forgetful", "offences") >= 3);
    // The event that it had, and its first start: no more than that has come to its pool.
    let info = daemon.listener("forgetful").unwrap();
    let seen = ["pending", "dead_letters"].map(|member| info.get(member).and_then(XmlValue::as_int).unwrap());
    assert!(seen[0] + seen[1] <= 8, "{info}\n{}", daemon.log());
}

#[test]
fn what_a_listener_writes_is_no_event_for_its_own_pool() {
    let dir = TestDir::new().unwrap();
    let chatty = dir
        .script(
            "chatty",
            "echo READY\nwhile read -r header; do\n  n=${header##*len:}\n  dd bs=1 count=$n >/dev/null 2>&1\n  \
             echo \"$header\" >> $0.got\n  echo 'I was told' >&2\n  echo 'RESULT 2'; echo OKREADY\ndone",
        )
        .unwrap();
    let witness = Recorder::new(&dir, "witness", "").unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "[eventlistener:chatty]\ncommand={chatty}\nevents=PROCESS_LOG,REMOTE_COMMUNICATION\n\
             stdout_events_enabled=true\nstderr_events_enabled=true\n{}",
            witness.section("witness", "PROCESS_LOG")
        ),
    )
    .unwrap();
    daemon.wait_state("chatty", "RUNNING").unwrap();
    for number in 1..=3 {
        remote(&daemon, &number.to_string());
        // Others hear what it says to people, and nobody what it says to its pool.
        let events = witness
            .wait_all("what it wrote", |events| events.len() >= number)
            .unwrap_or_else(|error| panic!("{error:#}\n{}", daemon.log()));
        assert!(events.iter().all(|event| event.name() == "PROCESS_LOG_STDERR"), "{events:?}");
    }
    let got = lines(&daemon, "chatty.got", 3, LIMIT);
    assert!(got.iter().all(|header| header.contains("eventname:REMOTE_COMMUNICATION")), "{got:?}");
}

#[test]
fn a_listener_that_has_itself_restarted_for_an_event_does_so_four_times_and_no_more() {
    let dir = TestDir::new().unwrap();
    let selfish = dir
        .script(
            "selfish",
            "echo READY\nread -r header\necho \"$header\" >> $0.got\n\
             supervisorctl -c ${0%/*}/supervisord.conf restart all >&2\nsleep 60",
        )
        .unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        &format!(
            "[supervisorctl]\nserverurl=unix://{{dir}}/s.sock\n[eventlistener:selfish]\ncommand={selfish}\nevents=PROCESS_STATE_STOPPED,REMOTE_COMMUNICATION\n"
        ),
    )
    .unwrap();
    daemon.wait_state("selfish", "RUNNING").unwrap();
    remote(&daemon, "x");
    until("a dead letter", LIMIT, || {
        Ok(Some(int(&daemon, "selfish", "dead_letters")).filter(|dead| *dead == 1).map(drop))
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", daemon.log()));
    assert!(daemon.log().contains("last selfish, which had itself stopped"), "{}", daemon.log());
    // Its pool does not hear of these stops.
    assert_eq!(lines(&daemon, "selfish.got", 4, LIMIT).len(), 4, "{}", daemon.log());
    assert_eq!(int(&daemon, "selfish", "pending"), 0);
}

#[test]
fn one_that_is_down_between_two_events_is_said_to_come_back() {
    let dir = TestDir::new().unwrap();
    let daemon = Daemon::start(
        &dir,
        Implementation::Ours,
        "[program:again]\ncommand=sh -c 'exit 3'\nstartsecs=0\nautorestart=true\n\
         [program:once]\ncommand=sh -c 'exit 3'\nstartsecs=0\nautorestart=false\n",
    )
    .unwrap();
    let comes_back = |name: &str| {
        let end = daemon.ask("ironlance.getProcessEnd", &[name.into()]).unwrap().unwrap();
        (end.get("ended") == Some(&XmlValue::Bool(true)))
            .then(|| end.get("comes_back") == Some(&XmlValue::Bool(true)))
    };
    until("a moment of being down", LIMIT, || Ok(comes_back("again").filter(|yes| *yes).map(drop))).unwrap();
    until("the other's end", LIMIT, || Ok(comes_back("once").filter(|yes| !*yes).map(drop))).unwrap();
    daemon.call("stopProcess", &["again".into()]).unwrap().ok();
    assert_eq!(comes_back("once"), Some(false));
}
