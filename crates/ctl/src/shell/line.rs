//! Doing what a line says, and what is said when it cannot be done.

use crate::ask;
use crate::session::{Session, status};
use crate::trouble::Trouble;
use crate::typed::{Line, parse};
use crate::verb::{self, Flow};

/// Does what a line says. What goes wrong is said, and noted in the session's status.
pub(crate) fn obey(session: &mut Session, line: &str) -> Flow {
    let (name, rest, line) = match parse(line) {
        Line::Empty => return Flow::Next,
        Line::Unknown(line) => return unknown(session, line),
        Line::Verb { name, rest, line } => (name, rest, line),
    };
    let Some(verb) = verb::find(name) else { return unknown(session, line) };
    loop {
        let trouble = match (verb.run)(session, rest) {
            Ok(flow) => return flow,
            Err(trouble) => trouble,
        };
        if trouble.wants_authentication() {
            session.refuse(status::GENERIC, "Server requires authentication");
            if !session.options.interactive {
                return Flow::Next;
            }
            match ask::who(session) {
                Ok(()) => {}
                Err(trouble) => return fail(session, &trouble),
            }
        } else {
            return fail(session, &trouble);
        }
    }
}

fn unknown(session: &mut Session, line: &str) -> Flow {
    session.refuse(status::GENERIC, &format!("*** Unknown syntax: {line}"));
    Flow::Next
}

fn fail(session: &mut Session, trouble: &Trouble) -> Flow {
    if matches!(trouble, Trouble::Interrupted) {
        return Flow::End;
    }
    session.refuse(status::GENERIC, &format!("error: {}", one_line(&trouble.to_string())));
    Flow::Next
}

/// A reason without line ends and control characters: it may be the words of a stranger.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
