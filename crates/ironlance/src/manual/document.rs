//! supervisord.conf(5), which is docs/configuration.md: the parts of Markdown that stand in it, in roff.

use roff::{Inline, bold, italic, roman};

use super::roff_page::Page;

/// The document of the configuration.
const DOCUMENT: &str = include_str!("../../../../docs/configuration.md");

/// The page.
pub(super) fn page() -> Page {
    let mut page = Page::new("supervisord.conf", 5, "configuration file of supervisord and supervisorctl");
    page.heading("Description");
    write(&mut page, DOCUMENT);
    page
}

/// Lines of one sort that belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Heading,
    Code,
    Table,
    Item,
    Text,
}

fn sort(line: &str) -> Sort {
    match line {
        _ if line.starts_with('#') => Sort::Heading,
        _ if line.starts_with("    ") => Sort::Code,
        _ if line.starts_with('|') => Sort::Table,
        _ if line.starts_with("- ") => Sort::Item,
        _ => Sort::Text,
    }
}

fn write(page: &mut Page, document: &str) {
    let mut lines = document.lines().peekable();
    while let Some(first) = lines.next() {
        if first.is_empty() {
            continue;
        }
        let sort = sort(first);
        let mut block = vec![first];
        while let Some(line) = lines.next_if(|line| goes_on(sort, line)) {
            block.push(line);
        }
        // Code may have empty lines in it, but not behind it.
        while block.last().is_some_and(|line| line.is_empty()) {
            block.pop();
        }
        match sort {
            Sort::Heading => heading(page, first),
            Sort::Code => page.code(block.iter().map(|line| line.strip_prefix("    ").unwrap_or(line))),
            Sort::Table => table(page, &block),
            Sort::Item => {
                let words: Vec<&str> = block.iter().map(|line| line.trim_start()).collect();
                page.item(inlines(&words.join(" ")[2..]));
            }
            // Links to the headings: a manual page has only the headings.
            Sort::Text if first.starts_with("On this page: ") => {}
            Sort::Text => page.paragraph(inlines(&block.join(" "))),
        }
    }
}

fn goes_on(begun: Sort, line: &str) -> bool {
    match begun {
        Sort::Heading => false,
        Sort::Code => line.is_empty() || sort(line) == Sort::Code,
        Sort::Table => sort(line) == Sort::Table,
        Sort::Item => line.starts_with("  ") && !line.trim().is_empty(),
        Sort::Text => !line.is_empty() && sort(line) == Sort::Text,
    }
}

/// The title of the document is the page's own.
fn heading(page: &mut Page, line: &str) {
    if let Some(title) = line.strip_prefix("## ") {
        page.heading(title);
    }
}

/// Of a table, the first column is a term; the others are told in its text, by their titles where they have one.
fn table(page: &mut Page, lines: &[&str]) {
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let Some((head, rows)) = lines.split_first() else { return };
    let titles = cells(head);
    for row in rows.iter().filter(|row| !row.starts_with("|---")) {
        let row = cells(row);
        let texts = titles.iter().zip(&row).skip(1).filter(|(_, cell)| !cell.is_empty());
        let texts = texts.map(|(title, cell)| match title.as_str() {
            "default" | "example" => format!("{title}: {cell}"),
            _ => cell.clone(),
        });
        let term = row.first().map_or("", String::as_str);
        page.entry(inlines(term), inlines(&texts.collect::<Vec<_>>().join("; ")));
    }
}

/// Code and what is strong bold, what is emphasised italic, links without their targets.
fn inlines(text: &str) -> Vec<Inline> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        let (before, tail) = rest.split_at(at);
        let Some((inline, after)) = marked(tail) else {
            out.push(roman(&rest[..=at]));
            rest = &rest[at + 1..];
            continue;
        };
        out.push(roman(before));
        out.push(inline);
        rest = after;
    }
    out.push(roman(rest));
    out
}

/// What a mark at the beginning encloses, and what comes after it; none where it is a character like another.
fn marked(text: &str) -> Option<(Inline, &str)> {
    if let Some(code) = text.strip_prefix('`') {
        let (code, after) = code.split_once('`')?;
        return Some((bold(code), after));
    }
    if let Some(strong) = text.strip_prefix("**") {
        let (strong, after) = strong.split_once("**")?;
        return Some((bold(strong), after));
    }
    if let Some(soft) = text.strip_prefix('*') {
        let (soft, after) = soft.split_once('*').filter(|(soft, _)| !soft.starts_with(' '))?;
        return Some((italic(soft), after));
    }
    let (label, target) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = target.split_once(')')?;
    Some((roman(label), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roff(document: &str) -> String {
        let mut page = Page::new("x", 5, "a file");
        write(&mut page, document);
        page.render()
    }

    #[test]
    fn each_part_of_a_document_has_its_form() {
        let text = roff(
            "# Title\n\n## [x]\n\nOne **two** `three`\n*four* [five](six.md) * 7.\n\n    code\n\n    more\n\n- a\n  b\n- c\n\n\
             | key | type | default | |\n|---|---|---|---|\n| `k` | int | `1` | why |\n",
        );
        let wanted = ".SH [x]\n.PP\nOne \\fBtwo\\fR \\fBthree\\fR \\fIfour\\fR five * 7.\n.PP\n.RS 4\n.nf\ncode\n \nmore\n.fi\n.RE\n\
                      .IP \\(bu 2\na b\n";
        assert!(text.contains(wanted), "{text}");
        assert!(text.ends_with(".TP\n\\fBk\\fR\nint; default: \\fB1\\fR; why\n"), "{text}");
    }

    #[test]
    fn every_key_is_in_the_page() {
        let page = page().render();
        for key in ["stdout_capture_maxbytes", "socket_backlog", "rpcinterface_factory", "chmod", "files"] {
            assert!(page.contains(key), "{key}");
        }
        assert!(!page.contains("](") && !page.contains('`'), "{page}");
    }
}
