//! crashmailbatch, fatalmailbatch and crashsms: every option of the originals, held against them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ironlance_e2e::{ListenerScenario, WireEvent};

const BATCH: [&str; 3] = ["crashmailbatch", "fatalmailbatch", "crashsms"];
const ADDRESSES: &str = "-t ops@example.com -f supervisor@example.com -H {smtp}";

/// Two crashes, two programs given up, some noise; then a clock's tick or more.
fn a_day(ticks: &[WireEvent]) -> Vec<WireEvent> {
    let mut events = vec![
        WireEvent::crashed("cat", 4711),
        WireEvent::fatal("shop:web"),
        WireEvent::finished("cat", 4712),
        WireEvent::tick(5),
        WireEvent::state("STOPPED", "cat", "STOPPING", " pid:4714"),
        WireEvent::fatal("shop:db"),
        WireEvent::crashed("shop:web", 4713),
    ];
    events.extend_from_slice(ticks);
    events
}

fn agree(command: &str, args: &str, events: &[WireEvent], mails: usize) {
    let transcript = ListenerScenario::new(command, args, events).compare().unwrap();
    assert_eq!(transcript.mails.len(), mails, "{command} {args}");
}

#[test]
fn a_minute_is_the_interval_and_the_clock_unless_told_otherwise() {
    for command in BATCH {
        agree(command, ADDRESSES, &a_day(&[WireEvent::tick(60)]), 1);
        agree(command, ADDRESSES, &a_day(&[]), 0);
        agree(command, ADDRESSES, &[WireEvent::tick(60), WireEvent::tick(60)], 0);
    }
}

#[test]
fn a_batch_is_sent_once_and_the_next_begins_empty() {
    for command in BATCH {
        let day = a_day(&[WireEvent::tick(60)]);
        let days: Vec<WireEvent> = day.iter().chain(&day).cloned().chain([WireEvent::tick(60)]).collect();
        agree(command, ADDRESSES, &days, 2);
    }
}

#[test]
fn interval_and_tick_event_may_be_chosen() {
    for command in BATCH {
        for option in ["-i 2", "-i2.0", "--interval=1.5"] {
            let args = format!("{option} {ADDRESSES}");
            agree(command, &args, &a_day(&[WireEvent::tick(60)]), 0);
            agree(command, &args, &a_day(&[WireEvent::tick(60), WireEvent::tick(60)]), 1);
        }
        for option in ["-e TICK_3600", "--tickEvent TICK_3600", "--tick=TICK_3600 -i 60"] {
            let args = format!("{ADDRESSES} {option}");
            agree(command, &args, &a_day(&[WireEvent::tick(60)]), 0);
            agree(command, &args, &a_day(&[WireEvent::tick(60), WireEvent::tick(3600)]), 1);
        }
        // Every tick of five seconds is one more: the day itself has one.
        agree(
            command,
            &format!("{ADDRESSES} -e TICK_5 -i 0.25"),
            &a_day(&[WireEvent::tick(5), WireEvent::tick(5)]),
            1,
        );
        agree(command, &format!("{ADDRESSES} -i 0"), &a_day(&[WireEvent::tick(60)]), 1);
    }
}

#[test]
fn half_a_minute_of_five_seconds_is_six_ticks_where_the_original_takes_seven() {
    let mut events = vec![WireEvent::crashed("cat", 1)];
    events.extend(vec![WireEvent::tick(5); 6]);
    let args = format!("{ADDRESSES} -e TICK_5 -i 0.5");
    let listener_scenario = ListenerScenario::new("crashmailbatch", &args, &events);
    assert_eq!(listener_scenario.original().unwrap().mails.len(), 0);
    assert_eq!(listener_scenario.ours(1).unwrap().mails.len(), 1);
}

#[test]
fn subject_and_addresses_may_be_chosen() {
    for command in BATCH {
        for option in ["-s Alert", "--subject=Alert␣from␣here", "--subj=Älert", "-s␣"] {
            agree(command, &format!("{ADDRESSES} {option}"), &a_day(&[WireEvent::tick(60)]), 1);
        }
        let many = "-t a@example.com,␣b@example.com␣,c@example.com --from x@example.com --smtpHost {smtp}";
        agree(command, many, &a_day(&[WireEvent::tick(60)]), 1);
        let long = "operand --toEmail=a@example.com operand --fromEmail x@example.com --smtp {smtp} operand";
        agree(command, long, &a_day(&[WireEvent::tick(60)]), 1);
    }
}

#[test]
fn a_long_batch_is_cut_on_stderr_and_whole_in_the_mail() {
    let mut events: Vec<WireEvent> = (0..50).map(|pid| WireEvent::crashed("shop:web", pid + 2)).collect();
    events.push(WireEvent::tick(60));
    for command in ["crashmailbatch", "crashsms"] {
        let transcript = ListenerScenario::new(command, ADDRESSES, &events).compare().unwrap();
        let lines = transcript.mails[0].lines().filter(|line| line.contains(" unexpectedly")).count();
        assert_eq!(lines, 50, "{command}");
    }
}
