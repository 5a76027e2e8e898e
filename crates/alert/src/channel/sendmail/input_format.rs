//! What a mailer takes on its standard input, by its command line: a mail with its header, or a body that people read as it is.
//!
//! The line is divided into its simple commands; in each, variables that are set,
//! words such as `exec` and wrappers such as `env` and `sudo` are passed over; `sh -c '…'` is looked into. The first
//! command that stands in `KNOWN` decides. A line without any takes a mail, as sendmail does.

use ironlance_core::text::shlex;

/// What a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// A mail: header, blank line, body (RFC 5322).
    Mail,
    /// Text for people: To, Subject, a blank line and the text, as superlance writes it.
    Body,
}

/// Words of a command that turn its format into the other one.
type TurningWords = &'static [&'static str];

/// The known commands, what they take, and the words that turn it into the other. A word of one letter must stand alone.
const KNOWN: &[(&[&str], InputFormat, TurningWords)] = &[
    (
        &["sendmail", "msmtp", "ssmtp", "esmtp", "exim", "exim4", "dma", "qmail-inject", "nullmailer-inject"],
        InputFormat::Mail,
        &[],
    ),
    (
        &["mini_sendmail", "smtp-cli", "procmail", "maildrop", "formail", "newinject", "datemail"],
        InputFormat::Mail,
        &[],
    ),
    (&["sendemail"], InputFormat::Body, &["message-format=raw"]),
    (
        &["mail", "mailx", "bsd-mailx", "s-nail", "nail", "heirloom-mailx", "mail.mailutils"],
        InputFormat::Body,
        &["-t"],
    ),
    (&["mutt", "neomutt"], InputFormat::Body, &["-H"]),
    (&["curl"], InputFormat::Body, &["smtp://", "smtps://", "--mail-rcpt"]),
    (
        &["wget", "http", "https", "xh", "apprise", "ntfy", "telegram-send", "slackcat", "logger", "wall"],
        InputFormat::Body,
        &[],
    ),
    (&["swaks"], InputFormat::Mail, &["--body"]),
];

/// Commands that run the command behind them and have options with a value, and these options.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("env", &["-u", "-C", "-S"]),
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U"]),
    ("doas", &["-u", "-C"]),
    ("runuser", &["-u", "-g", "-G"]),
    ("nice", &["-n"]),
    ("ionice", &["-c", "-n", "-p"]),
    ("timeout", &["-s", "-k"]),
    ("stdbuf", &["-i", "-o", "-e"]),
    ("exec", &["-a"]),
];

/// Other words in front of a command.
const PREFIXES: [&str; 12] =
    ["nohup", "setsid", "chronic", "busybox", "command", "time", "if", "then", "else", "do", "while", "!"];

/// Shells, which have a command line of their own behind `-c`.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "ksh"];
/// The deepest command line within a command line that is read.
const DEEPEST: usize = 4;

/// What the mailer of this command line takes.
pub fn of_command_line(line: &str) -> InputFormat {
    within(line, 0).unwrap_or(InputFormat::Mail)
}

fn within(line: &str, depth: usize) -> Option<InputFormat> {
    if depth > DEEPEST {
        return None;
    }
    simple_commands(line).into_iter().find_map(|command| {
        let words = shlex::split(command).ok()?;
        of_words(&words, depth)
    })
}

fn of_words(words: &[String], depth: usize) -> Option<InputFormat> {
    let mut rest = words;
    loop {
        let (first, arguments) = rest.split_first()?;
        let name = first.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        if first.contains('=') && !first.starts_with(['-', '/', '=']) {
            rest = arguments;
        } else if PREFIXES.contains(&name.as_str()) {
            rest = behind_options(arguments, &[]);
        } else if let Some((_, valued)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == name) {
            rest = behind_options(arguments, valued);
            if name == "timeout" {
                rest = rest.get(1..).unwrap_or_default();
            }
        } else if SHELLS.contains(&name.as_str()) {
            let at = arguments.iter().position(|word| word.starts_with('-') && word.ends_with('c'))?;
            return within(arguments.get(at + 1)?, depth + 1);
        } else {
            return of_program(&name, arguments);
        }
    }
}

/// What is left when the options of a wrapper are passed over.
fn behind_options<'w>(mut words: &'w [String], valued: &[&str]) -> &'w [String] {
    while let Some((option, rest)) = words.split_first().filter(|(word, _)| word.starts_with('-')) {
        let skip = usize::from(valued.contains(&option.as_str()));
        words = rest.get(skip..).unwrap_or_default();
    }
    words
}

fn of_program(name: &str, arguments: &[String]) -> Option<InputFormat> {
    let (_, input, turning) = KNOWN.iter().find(|(names, ..)| names.contains(&name))?;
    let has = |word: &String| {
        turning.iter().any(|turn| if turn.len() == 2 { word == turn } else { word.contains(turn) })
    };
    let is_turned = arguments.iter().any(has);
    Some(if (*input == InputFormat::Mail) == is_turned { InputFormat::Body } else { InputFormat::Mail })
}

/// A command line at its operators: pipes, lists and groups. What stands in quotation marks is no operator.
fn simple_commands(line: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let (mut start, mut mark, mut escaped, mut before) = (0, None, false, ' ');
    for (at, c) in line.char_indices() {
        match (mark, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (Some(open), _) if c == open => mark = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => mark = Some(c),
            // `2>&1` is no end of a command.
            (None, '&') if before == '>' => {}
            (None, '|' | ';' | '&' | '(' | ')' | '{' | '}' | '\n') => {
                commands.push(&line[start..at]);
                start = at + c.len_utf8();
            }
            (None, _) => {}
        }
        before = c;
    }
    commands.push(&line[start..]);
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mailers_that_are_known_to_take_a_body_get_one_however_they_are_called() {
        for line in [
            "sendemail -f a@b -t c@d -s mail:25 -xu joe -xp x",
            "/usr/bin/sendEmail -t c@d",
            "mail -s 'it died' ops@example.com",
            "/usr/bin/mailx ops@example.com",
            "LC_ALL=C.UTF-8 s-nail -s x ops",
            "env -u LANG X=y mail ops",
            "sudo -u mail mutt -s x ops",
            "timeout -k 5 30 mail ops",
            "tee -a /var/log/mails | mail -s x ops >/dev/null 2>&1",
            "sh -c 'mail -s \"x; y\" ops'",
            "if [ -e /etc/quiet ]; then cat >/dev/null; else exec mail ops; fi",
            "curl -sS --data-binary @- https://hook.example.com/x",
            "(curl -d @- https://hook)",
            "swaks --to c@d --body -",
        ] {
            assert_eq!(of_command_line(line), InputFormat::Body, "{line}");
        }
    }

    #[test]
    fn all_others_get_a_mail_and_so_do_these_with_an_option_for_it() {
        for line in [
            "/usr/sbin/sendmail -t -i",
            "sendemail -o message-format=raw -t c@d",
            "mail -t",
            "mutt -H -",
            "curl --url smtp://mail --mail-rcpt c@d -T -",
            "sudo -u mail /usr/sbin/sendmail -t",
            "msmtp -t 2>&1 | mail -s log root",
            "/opt/my-mailer --via mail",
            "swaks --data -",
            "echo 'mail'",
            "mail 'unclosed",
            "timeout",
            "sh -c",
            "sh -c \"sh -c 'sh -c mail'\" x",
            "",
        ] {
            let expected = if line.contains("sh -c mail") { InputFormat::Body } else { InputFormat::Mail };
            assert_eq!(of_command_line(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(?s).{0,80}", words in "[a-z'\" |;&(){}=-]{0,60}") {
            let _ = (of_command_line(&line), of_command_line(&words));
        }
    }
}
