//! Buttons: what forms do, what has to be confirmed, and what is refused.

use hyper::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, HOST, LOCATION, ORIGIN};

use super::*;
use crate::request::ReplyTiming;

fn form_head() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, "127.0.0.1:9001".parse().unwrap());
    headers.insert(ORIGIN, "http://127.0.0.1:9001".parse().unwrap());
    headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    headers
}

#[test]
fn a_link_changes_nothing_and_says_so() {
    run(async {
        let pages = TestPages::new(Access::Full);
        for address in ["/?action=stopall", "/index.html?processname=web&action=stop&message=done"] {
            let page = pages.get(address).await;
            assert!(page.contains("Nothing was changed") && !page.contains("done"), "{address}");
        }
        assert!(pages.asked.borrow().is_empty());
        assert!(!pages.get("/?action=refresh").await.contains("Nothing was changed"));
    });
}

#[test]
fn a_button_does_what_it_says() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let token = pages.token().await;
        let cases = [
            ("process=shop:api&do=start", "shop%3Aapi%20is%20being%20started"),
            ("process=web:web&do=stop", "web%20is%20being%20stopped"),
            ("process=off&do=stop", "off%3A%20not%20running"),
            ("process=nope&do=start", "nope%3A%20no%20such%20process"),
            ("process=nope&do=restart", "nope%3A%20no%20such%20process"),
            ("process=odd&do=start", "FAILED%3A%20%3Codd%3E"),
            ("process=web&do=clear", "logs%20of%20web%20have%20been%20cleared"),
            ("group=shop&do=clear&sure=1", "Logs%20cleared"),
            ("group=none&do=restart", "none%3A%20no%20such%20process"),
            ("all=1&do=stop&sure=1", "1%20being%20stopped.%201%20failed%3A%20b&tone=warn"),
        ];
        for (form, message) in cases {
            let response = pages.post(&format!("token={token}&{form}"), &form_head()).await;
            assert_eq!(response.status, 303, "{form}");
            let to = response.headers.get(LOCATION).unwrap().to_str().unwrap();
            assert!(to.starts_with("./?message=") && to.contains(message), "{form} leads to {to}");
        }
        let stop =
            RpcRequest::Stop { target: ProcessTarget::Named("web:web".into()), wait: ReplyTiming::AtOnce };
        assert!(pages.asked.borrow().contains(&stop), "nobody waits for a process to stop");
        let form = format!("token={token}&process=shop%3Aapi&do=start&page=program&lang=zh");
        let response = pages.post(&form, &form_head()).await;
        let to = response.headers.get(LOCATION).unwrap().to_str().unwrap();
        assert!(
            to.starts_with("program.html?processname=shop%3Aapi&message=") && to.ends_with("&lang=zh"),
            "{to}"
        );
    });
}

#[test]
fn a_script_gets_the_message_alone() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let token = pages.token().await;
        let mut headers = form_head();
        headers.insert(ACCEPT, "text/plain".parse().unwrap());
        headers.insert(ACCEPT_LANGUAGE, "zh".parse().unwrap());
        let response = pages.post(&format!("token={token}&process=shop:api&do=stop"), &headers).await;
        assert_eq!((response.status.as_u16(), text(response)), (200, "正在停止 shop:api。\n".into()));
    });
}

#[test]
fn many_are_ended_only_by_who_is_sure() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let token = pages.token().await;
        let mut script = form_head();
        script.insert(ACCEPT, "text/plain".parse().unwrap());
        for (form, question) in [
            ("all=1&do=stop", "Really stop 2, with 1 listener?"),
            ("all=1&do=restart&sure=", "Really restart 4, with 1 listener?"),
            ("do=stop&group=shop", "Really stop 1 of shop?"),
            ("do=restart&group=shop", "Really restart 2 of shop?"),
            ("do=clear&group=shop", "Really clear the logs of 2 of shop?"),
        ] {
            let form = format!("token={token}&{form}");
            let response = pages.post(&form, &form_head()).await;
            assert_eq!(response.status, 200, "{form}");
            let page = text(response);
            assert!(page.contains(question) && page.contains("name=\"sure\" value=\"1\""), "{page}");
            assert!(
                page.contains(&token) && page.contains("name=\"group\"") == form.contains("group="),
                "{page}"
            );
            let response = pages.post(&form, &script).await;
            assert_eq!((response.status.as_u16(), text(response)), (409, format!("{question}\n")));
        }
        for nobody in ["do=clear", "do=stop&sure=1&process=", "do=stop&sure=1&proces=web", "do=start&all="] {
            let response = pages.post(&format!("token={token}&{nobody}"), &form_head()).await;
            assert_eq!(response.status, 400, "{nobody}");
        }
        assert!(pages.asked.borrow().is_empty());
        for form in [
            "all=1&do=start",
            "do=clear&group=pool",
            "do=stop&group=pool",
            "all=1&do=restart&sure=1",
            "do=stop&group=none",
        ] {
            let response = pages.post(&format!("token={token}&{form}"), &form_head()).await;
            assert_eq!(response.status, 303, "{form}");
        }
    });
}

#[test]
fn a_restart_stops_first_and_starts_when_that_is_done() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let token = pages.token().await;
        for name in ["shop:api", "off"] {
            pages.asked.borrow_mut().clear();
            let response =
                pages.post(&format!("token={token}&process={name}&do=restart"), &form_head()).await;
            assert_eq!(response.status, 303);
            while pages.asked.borrow().len() < 3 {
                tokio::task::yield_now().await;
            }
            let name = name.to_owned();
            let asked = pages.asked.borrow().clone();
            assert_eq!(
                asked[1..],
                [
                    RpcRequest::Stop {
                        target: ProcessTarget::Named(name.clone()),
                        wait: ReplyTiming::WhenDone
                    },
                    RpcRequest::Start { target: ProcessTarget::Named(name), wait: ReplyTiming::AtOnce },
                ]
            );
        }
    });
}

#[test]
fn who_does_not_know_the_token_or_comes_from_elsewhere_changes_nothing() {
    run(async {
        let pages = TestPages::new(Access::Full);
        let post = async |form: String, headers: &HeaderMap| pages.post(&form, headers).await.status.as_u16();
        let early = format!("token={}&do=stop", "0".repeat(32));
        assert_eq!(post(early.clone(), &form_head()).await, 403, "there is no token yet");
        let token = pages.token().await;
        let good = format!("token={token}&all=1&do=stop&sure=1");
        assert_eq!(post("do=stop".into(), &form_head()).await, 403);
        assert_eq!(post("token=&do=stop".into(), &form_head()).await, 403);
        assert_eq!(post(early, &form_head()).await, 403);
        assert_eq!(post(format!("token={token}0&do=stop"), &form_head()).await, 403);
        let with = |name: &'static str, value: &str| {
            let mut headers = form_head();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        assert_eq!(post(good.clone(), &with("origin", "http://evil.example")).await, 403);
        assert_eq!(post(good.clone(), &with("origin", "null")).await, 403);
        assert_eq!(post(good.clone(), &with("sec-fetch-site", "cross-site")).await, 403);
        assert_eq!(post(good.clone(), &with("content-type", "text/plain")).await, 415);
        assert_eq!(post(good.clone(), &with("content-type", "multipart/form-data")).await, 415);
        assert_eq!(post(format!("token={token}&do=shutdown"), &form_head()).await, 400);
        assert!(pages.asked.borrow().is_empty());
        assert_eq!(post(good, &form_head()).await, 303);
    });
}

#[test]
fn who_may_only_look_sees_no_buttons_and_is_refused() {
    run(async {
        let pages = TestPages::new(Access::ReadOnly);
        for address in ["/", "/program.html?processname=shop:api"] {
            let page = pages.get(address).await;
            assert!(
                !page.contains("post") && !page.contains("name=\"do\"") && !page.contains("token"),
                "{address}"
            );
            assert!(page.contains("Read only") && page.contains("class=\"tail\""), "{address}");
        }
        assert_eq!(pages.post("do=stop", &form_head()).await.status, 403);
        assert!(pages.asked.borrow().is_empty());
    });
}
