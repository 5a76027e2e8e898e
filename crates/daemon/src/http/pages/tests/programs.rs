//! What pages say of programs and listeners: states, exits and problems.

use super::*;

#[test]
fn a_program_has_a_page_that_says_why_it_ended() {
    run(async {
        let pages = TestPages::new(Access::Full);
        for name in ["shop:api", "shop%3Aapi"] {
            let page = pages.get(&format!("/program.html?processname={name}")).await;
            for part in ["terminated by SIGKILL", "unexpected", "last &#60;words&#62;␇", "value=\"program\""]
            {
                assert!(page.contains(part), "{part} is not there");
            }
        }
        let none = pages.get_with("/program.html?processname=nope", &HeaderMap::new()).await;
        assert_eq!(none.status, 404);
        assert_eq!(pages.get_with("/program.html", &HeaderMap::new()).await.status, 404);
    });
}

fn stopped_by(requester: &Rc<Requester>) -> Rc<ExitRecord> {
    let mut stopped = ExitRecord { expected: true, ..end() };
    stopped.cause.by = Some(SignalReason::Stop(Rc::clone(requester)));
    Rc::new(stopped)
}

#[test]
fn who_stopped_a_program_and_who_was_killed_beside_it_is_told() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let memmon = Rc::new(Requester::Process(Namespec::new("memmon", "memmon")));
        pages.view.borrow_mut().programs[0].end = Some(stopped_by(&memmon));
        assert!(pages.get("/").await.contains("stopped by memmon, a process of this supervisord"));
        let page = pages.get("/program.html?processname=%3Cscript%3E").await;
        assert!(
            page.contains("<dt>Requested by</dt><dd>memmon, a process of this supervisord</dd>"),
            "{page}"
        );
        assert_eq!(page.matches("memmon, a process of").count(), 1, "it is said once");
        let window = TimeWindow { from: NOW - Duration::from_secs(90), to: NOW - Duration::from_secs(60) };
        let mut killed = end();
        (killed.cause.by, killed.cause.memory) =
            (Some(SignalReason::Signal(memmon)), OomVerdict::Possible(window));
        pages.view.borrow_mut().programs[2].end = Some(Rc::new(killed));
        let page = pages.get("/").await;
        assert!(page.contains("terminated by SIGKILL, by the signal of memmon"), "{page}");
        assert!(page.contains("a process of this control group was killed for want of memory: "), "{page}");
        assert!(
            pages.get("/program.html?processname=shop:api&lang=zh").await.contains("因内存不足被内核终止")
        );
    });
}

#[test]
fn a_program_that_runs_again_says_why_it_did_not_and_one_that_was_told_to_stop_says_that() {
    run(async {
        let pages = TestPages::new(Access::Full);
        pages.view.borrow_mut().programs[3].end = Some(Rc::new(end()));
        let page = pages.get("/").await;
        let again = row(&page, "shop:web&#34;x");
        assert!(again.contains("<span class=\"why\">Before: terminated by SIGKILL · after 3.2 s"), "{again}");
        let told = stopped_by(&Rc::new(Requester::Unknown));
        pages.view.borrow_mut().programs[3].end = Some(told.clone());
        assert!(!row(&pages.get("/").await, "shop:web&#34;x").contains("why"));
        pages.view.borrow_mut().programs[0].end = Some(told);
        let page = pages.get("/").await;
        let stopped = row(&page, "&#60;script&#62;:&#60;script&#62;");
        assert!(stopped.contains("<span class=\"why\">stopped by somebody"), "{stopped}");
    });
}

#[test]
fn a_listener_says_what_is_wrong_with_it() {
    run(async {
        let pages = TestPages::new(Access::Full);
        for page in ["/", "/program.html?processname=pool:pool"] {
            let page = pages.get(page).await;
            assert!(
                page.contains("<span class=\"why bad\">2 events waiting · 1 event lost (1 TICK_5)</span>")
            );
        }
        let other = pages.get("/program.html?processname=shop:api").await;
        assert!(!other.contains("data-listener=") && other.contains("-title\" hidden>"), "{other}");
        {
            let listener = &mut pages.view.borrow_mut().listeners[0];
            (listener.state, listener.status.is_full, listener.status.violations) =
                (Some(ListenerState::Acknowledged), true, 3);
            listener.status.state = "ACKNOWLEDGED".into();
            let status = &mut listener.status;
            (status.dead_letters, status.dead_letters_by_type) = (1, vec![("TICK_60".into(), 1)]);
            (status.stray_outputs, status.stray_output) = (1, "hello\n".into());
        }
        let wrong = "has not said READY · its buffer is full · 1 event lost (1 TICK_5) · 1 event that nobody dealt with (1 TICK_60) · restarted for breaking the protocol, 3 lately · babbled: &#34;hello\\n&#34;";
        assert!(pages.get("/").await.contains(wrong));
        assert!(
            pages
                .get("/?lang=zh")
                .await
                .contains("尚未发出 READY · 事件队列已满 · 已丢弃 1 个事件（1 TICK_5）")
        );
        {
            let listener = &mut pages.view.borrow_mut().listeners[0];
            listener.state = Some(ListenerState::Busy);
            listener.status =
                ListenerStatus { state: "BUSY".into(), pending: 2, ..ListenerStatus::default() };
        }
        let page = pages.get("/").await;
        assert!(
            page.contains("<span class=\"why\">2 events waiting</span>") && !page.contains("not well"),
            "{page}"
        );
    });
}

#[test]
fn a_program_that_never_started_and_one_without_events_are_told_so() {
    run(async {
        let pages = TestPages::new(Access::Full);
        {
            let program = &mut pages.view.borrow_mut().programs[0];
            (program.state, program.description) = (ProcessState::Fatal, "can't find command '/x'".into());
        }
        let chinese = pages.get("/program.html?processname=%3Cscript%3E&lang=zh").await;
        assert!(chinese.contains("找不到命令"), "{chinese}");
        let page = pages.get("/program.html?processname=%3Cscript%3E").await;
        for part in ["Why it does not start", "find command", "Nothing in the last event."] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("<ol"), "an empty list is a line");
        pages.view.borrow_mut().recent.clear();
        assert!(
            pages.get("/program.html?processname=%3Cscript%3E").await.contains("Nothing has happened yet.")
        );
    });
}
