//! The table from outside: what is hidden, what is not, and that the secret never comes out.

use super::*;
use proptest::prelude::*;

/// Texts with a secret, `§` in its place.
const TEXTS: &[&str] = &[
    "sendemail -f a@b -t c@d -s mail:25 -xu joe -xp § -o tls=no",
    "sendemail -xp '§' -u hello",
    "sendemail -xp \"§\" 2>&1 | logger",
    "sendemail -xp \\\n  §",
    "/bin/sh -c \"sendemail -xp § -t c@d\"",
    "sh -c 'sh -c \"sendemail -xp §\"'",
    "crashmail -a -m x@y -s \"sendemail -xu joe -xp §\"",
    "crashmail --sendmail_program='sendemail -xp §' -m x",
    "crashmailbatch -t x -f y -u joe -p §",
    "crashmailbatch -t x -f y -u joe -p§",
    "crashmailbatch -t x --pas §",
    "crashmailbatch -t x --pas=§",
    "python3 -m superlance.crashmailbatch -p§ -t x",
    "crashmailbatch -H smtp://joe:§@mail.example.com:587",
    "crashmailbatch -H joe:§@mail",
    "some-mailer -p §",
    "ssmtp -au joe -ap§",
    "ssmtp -ap § x@y",
    "mysql -uroot -p§ shop",
    "sshpass -p § ssh host sendmail -t",
    "mailx -S smtp-auth-password=§ -s hi x@y",
    "mailx -S 'smtp-auth-password=§' -s hi x@y",
    "s-nail -Smta=smtp://joe:§@mail:587 x@y",
    "mutt -e 'set smtp_pass=\"§\"' x@y",
    "mutt -e 'set smtp_pass = \"§\"' x@y",
    "SMTP_PASSWORD=§ /opt/mailer",
    "env API_TOKEN=§ mailer",
    "msmtp --password § --tls",
    "msmtp --password=§",
    "msmtp --password --password §",
    "curl -u joe:§ https://api.example.com/mail",
    "curl -ujoe:§ https://api.example.com/mail",
    "curl --user=joe:§ https://api.example.com/mail",
    "curl --user joe:§ https://api.example.com/mail",
    "curl -H 'Authorization: Bearer §' https://hook.example.com",
    "curl -H \"Authorization: Basic §\" https://hook.example.com",
    "curl -H Authorization:§ https://hook.example.com",
    "curl --header='X-Api-Key: §' https://hook.example.com",
    "curl --oauth2-bearer § https://h",
    "curl -d '{\"token\":\"§\",\"chat\":1}' https://h",
    "curl -d '{\"chat\": 1, \"token\": \"§\"}' https://h",
    "curl -d 'chat=1&access_token=§&x=2' https://h",
    "curl https://h/send?access_token=§",
    "curl 'https://h/send?x=1&key=§&y=2'",
    "curl https://joe:§@h/path",
    "curl https://§@h/path",
    "curl https://hooks.slack.com/services/T00/B00/§",
    "curl https://discord.com/api/webhooks/42/§",
    "curl https://api.telegram.org/bot42:§/sendMessage",
    "curl https://open.feishu.cn/open-apis/bot/v2/hook/§",
    "postgres://joe:§@db/shop and redis://:§@cache",
    "cannot log in: password=§ refused",
    "cannot log in: password: §",
    "> AUTH PLAIN §\n< 535 no",
    "> Authorization: Basic §\n> Host: h",
    "it's a pity: --password §",
    "x \"a --password §",
    "error: smtp://joe:§@mail:25 is down, token=§",
];

/// A text of the table with this secret.
fn with_secret(text: &str, secret: &str) -> String {
    text.replace('§', secret)
}

#[test]
fn every_text_of_the_table_hides_its_secret_and_the_command_stays_readable() {
    for text in TEXTS {
        let given = with_secret(text, "hunter2Zq");
        assert!(given.contains("hunter2Zq"), "{text}");
        let shown = redact(&given);
        assert!(!shown.contains("hunter2"), "{given}\n{shown}");
        assert!(shown.contains(PLACEHOLDER), "{shown}");
        assert!(!Secrets::of(&given).hide("said: <hunter2Zq>").contains("hunter2"), "{given}");
    }
    assert_eq!(redact("sendemail -xu joe -xp x -o tls=no"), "sendemail -xu joe -xp *** -o tls=no");
}

#[test]
fn what_holds_no_secret_is_left_as_it_is() {
    for text in [
        "/usr/sbin/sendmail -t -i",
        "crashmail -p web -m ops@example.com",
        "httpok -p 'shop:*' -t 5 http://localhost:8080/health",
        "memmon -p web=400MB -a 2GB",
        "web --port=80 -p 8080",
        "web --password-file /etc/pw --token-path=/x",
        "ssh -p 22 host",
        "curl http://h:80/a/b?x=1",
        "curl http://h:80/a@b:c",
        "msmtp --passwordeval 'gpg -d x'",
        "smtp://joe@mail:25",
        "smtp://mail:25 http://[::1]:80/ http://::1/ http://h:$PORT/ http://h:%(port)s/x ws://h:/",
        "cannot connect to 127.0.0.1:25: it's gone, 'really'",
        "cannot read the password file /etc/smtp_password: No such file or directory",
        "a  b\t\tc\n d ",
        "",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn a_login_whose_host_was_forgotten_is_no_host_with_a_port() {
    assert_eq!(redact("crashmail --smtp smtp://joe:S3cr3t"), "crashmail --smtp smtp://joe:***");
    assert_eq!(redact("https://joe:S3cr3t/x?y=1"), "https://joe:***/x?y=1");
}

#[test]
fn a_command_is_known_by_its_program() {
    for (command, name) in [
        ("sendemail -xp S -t x", "sendemail …"),
        ("/usr/sbin/sendmail -t -i", "/usr/sbin/sendmail …"),
        ("true", "true"),
        (" PASSWORD=S LANG=C 'mail' -s x", "mail …"),
        ("'/opt/my mailer/bin' x", "/opt/my …"),
        ("PASSWORD=S", "…"),
        ("", "…"),
        ("https://joe:S@h/x", "https://joe:***@h/x …"),
        ("a\u{1b}[2J b", "a\\x1b[2J …"),
    ] {
        assert_eq!(program_only(command), name, "{command}");
    }
}

#[test]
fn the_words_of_an_argument_list_are_looked_at_one_by_one() {
    let words = ["-xp", "a b", "--password=c d", "-s", "sendemail -xp e"].map(str::to_owned);
    assert_eq!(redact_words(&words), ["-xp", "***", "--password=***", "-s", "sendemail -xp ***"]);
}

#[test]
fn a_command_with_a_secret_is_told_from_one_that_only_names_it() {
    for command in [
        "web --password=x",
        "web --db-password hunter2",
        "env API_TOKEN=x web",
        "smtp smtp://joe:pw@mail",
        "sendemail -xu joe -xp pw",
        "w amqp://a:b@h/c@d",
        "mysqldump -phunter2 all",
        "curl -u joe:pw http://h/",
        "sh -c 'web --auth-token=x'",
        "notify https://hooks.slack.com/services/T0/B0/x",
    ] {
        assert!(has_secret(command), "{command}");
    }
    for command in [
        "web --port=80",
        "web --password-file /x",
        "web http://h:80/a@b:c",
        "web --smtp smtp://joe@mail",
        "web --password",
        "web --password --verbose",
        "web --password=$PASSWORD",
        "web --password=%(ENV_PASSWORD)s",
        "tokenizer x",
        "web --token-path x",
        "ssh -p 22 host",
    ] {
        assert!(!has_secret(command), "{command}");
    }
}

#[test]
fn a_secret_that_the_shell_cuts_is_hidden_in_its_complaint() {
    let secrets = Secrets::of("sendemail -xp abc;hunter2&more -t x");
    assert_eq!(secrets.hide("sh: 1: hunter2: not found"), "sh: 1: ***: not found");
    assert!(!format!("{secrets:?}").contains("hunter2"));
    assert_eq!(secrets.hide("'hun'ter2?token=x"), "***?token=***");
}

proptest! {
    #[test]
    fn the_secret_never_comes_out(index in 0..TEXTS.len(), secret in "zQ[A-Za-z0-9%+.,!*-]{3,20}Qz") {
        let given = with_secret(TEXTS[index], &secret);
        let shown = redact(&given);
        prop_assert!(!shown.contains(&secret[..5]) && !shown.contains(&secret[secret.len() - 5..]), "{}\n{}", given, shown);
    }

    #[test]
    fn a_quoted_secret_of_any_characters_never_comes_out(
        front in "(-xp|--password|-p|API_TOKEN=|--db-password=) ?",
        secret in "zQ[ -&(-~]{3,20}Qz",
    ) {
        let front = if front.trim_end().ends_with('=') { front.trim_end().to_owned() } else { format!("{} ", front.trim_end()) };
        let shown = redact(&format!("mailer {front}'{secret}' -t x@y"));
        prop_assert!(!shown.contains("zQ") && !shown.contains("Qz"), "{}", shown);
    }

    #[test]
    fn no_text_makes_it_panic_or_grow_without_bound(text in "(?s).{0,200}", command in "[-a-z =:/@&?'\"\\\\|]{0,80}") {
        for text in [text, command] {
            let shown = redact(&text);
            prop_assert!(shown.len() <= 4 * text.len() + 8, "{}", shown);
            let _ = (program_only(&text), Secrets::of(&text).hide(&text));
        }
    }
}
