//! Live updates: what an open page is sent.

use super::*;
use crate::http::response_body::NextPiece;

/// The next part of a live page that says more than that we are there.
async fn next_update(stream: &mut NextPiece) -> String {
    loop {
        let (part, rest) = (&mut *stream).await.expect("the stream has ended");
        *stream = rest.next();
        let part = String::from_utf8(part.to_vec()).unwrap();
        if part.contains("event:") {
            return part;
        }
    }
}

#[test]
fn a_live_page_is_sent_what_changes_and_nothing_else() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let seen = Fingerprints::of(&pages.view.borrow()).sum();
        let response = pages.get_with(&format!("/live?seen={seen}"), &HeaderMap::new()).await;
        assert_eq!(response.content_type, "text/event-stream");
        let Content::Stream(_, mut stream) = response.content else { panic!("it does not go on") };
        let first = next_update(&mut stream).await;
        assert!(first.starts_with("event: gauges\ndata: [") && !first.contains("swap"), "{first}");
        {
            let mut view = pages.view.borrow_mut();
            let program = &mut view.programs[0];
            (program.state, program.pid, program.starts) = (ProcessState::Running, Some(4_000_001), 4);
        }
        let next = next_update(&mut stream).await;
        assert!(next.contains(
            "data: <tr data-process=\"&#60;script&#62;:&#60;script&#62;\" data-state=\"RUNNING\">"
        ));
        assert!(next.contains("data: <p id=\"summary\""));
        assert_eq!(next.matches("<tr data-process").count(), 1, "{next}");
        assert!(
            !next.contains("id=\"listeners\"") && !next.contains("id=\"events\"") && !next.contains("layout")
        );
        pages.view.borrow_mut().programs.pop();
        let next = next_update(&mut stream).await;
        assert!(next.contains("event: layout\n") && !next.contains("<tr"), "{next}");
    });
}

#[test]
fn a_page_that_shows_something_old_is_told_to_look_again() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let response = pages.get_with("/live?seen=0", &HeaderMap::new()).await;
        let Content::Stream(_, mut stream) = response.content else { panic!("it does not go on") };
        assert!(next_update(&mut stream).await.starts_with("event: layout\n"));
    });
}

#[test]
fn a_daemon_that_stops_says_so() {
    run(async {
        let (owner, inbox) = mpsc::channel(1);
        let owner = OwnerClient::new(owner);
        drop(inbox);
        let reader = Rc::new(LogReader::new(owner.clone()));
        let pages = Pages::new(owner, Rc::new(NoLog), Access::Full, reader);
        let response = pages.get("/", "", &HeaderMap::new()).await.unwrap();
        assert_eq!(response.status, 503);
    });
}

#[test]
fn the_stream_has_one_path_which_the_router_guards() {
    run(async {
        let pages = TestPages::new(Access::Full);
        for path in ["//live", "/live/"] {
            assert!(pages.pages.get(path, "seen=0", &HeaderMap::new()).await.is_none(), "{path}");
        }
    });
}
