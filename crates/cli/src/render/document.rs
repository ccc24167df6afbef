//! A Markdown report at a terminal: headings, tables, lists, code and diffs, nothing else.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};
use console::measure_text_width;

use super::style::{Meaning, Palette};
use super::wrap::wrap;
use ecs_agent_untrusted::escape;

/// Renders the document; everything in it is escaped first, since it quotes AWS.
pub(crate) fn terminal_document(markdown: &str, palette: Palette, width: u16) -> String {
    let safe = escape(markdown);
    let mut rendered = String::new();
    let mut table: Vec<&str> = Vec::new();
    let mut fence: Option<&str> = None;
    for line in safe.lines() {
        if fence.is_none() && line.trim_start().starts_with('|') {
            table.push(line);
            continue;
        }
        flush(&mut rendered, &mut table, width);
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() {
                None
            } else {
                Some(language.trim())
            };
            continue;
        }
        rendered.push_str(&match fence {
            Some(_) => code_line(line, palette),
            None => prose_line(line, palette, width),
        });
        rendered.push('\n');
    }
    flush(&mut rendered, &mut table, width);
    rendered
}

fn code_line(line: &str, palette: Palette) -> String {
    let painted = match line.trim_start().chars().next() {
        Some('+') => palette.paint(Meaning::Added, line),
        Some('-') => palette.paint(Meaning::Removed, line),
        Some(_) | None => line.to_owned(),
    };
    format!("    {painted}")
}

fn prose_line(line: &str, palette: Palette, width: u16) -> String {
    let text = line.trim_start_matches('#');
    if text.len() < line.len() && (text.starts_with(' ') || text.is_empty()) {
        let heading = palette.paint(Meaning::Heading, without_marks(text.trim()));
        return wrap(&heading, width, 0);
    }
    let indent = line.len() - line.trim_start().len();
    let (lead, rest) = line.split_at(indent);
    match rest.strip_prefix("- ").or_else(|| rest.strip_prefix("* ")) {
        Some(item) => wrap(
            &format!("{lead}• {}", inline(item, palette)),
            width,
            indent + 2,
        ),
        None => wrap(&format!("{lead}{}", inline(rest, palette)), width, indent),
    }
}

/// `code` becomes a name and **strong** text a heading; a mark without its partner stays.
fn inline(text: &str, palette: Palette) -> String {
    let mut rendered = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(['`', '*', '\\']) {
        let (before, marked) = rest.split_at(start);
        rendered.push_str(before);
        if let Some(literal) = escaped(marked) {
            rendered.push(literal);
            rest = marked.get(2..).unwrap_or_default();
            continue;
        }
        let (mark, meaning) = if marked.starts_with("**") {
            ("**", Meaning::Heading)
        } else {
            ("`", Meaning::Name)
        };
        let body = marked
            .strip_prefix(mark)
            .and_then(|after| after.split_once(mark));
        match body {
            Some((body, after)) if !body.is_empty() => {
                rendered.push_str(&palette.paint(meaning, body));
                rest = after;
            }
            Some(_) | None => {
                let mut characters = marked.chars();
                rendered.extend(characters.next());
                rest = characters.as_str();
            }
        }
    }
    rendered.push_str(rest);
    rendered
}

/// The character that a backslash takes its meaning from.
fn escaped(marked: &str) -> Option<char> {
    let literal = marked.strip_prefix('\\')?.chars().next()?;
    literal.is_ascii_punctuation().then_some(literal)
}

fn without_marks(text: &str) -> String {
    inline(&text.replace('`', ""), Palette::Plain)
}

fn flush(rendered: &mut String, lines: &mut Vec<&str>, width: u16) {
    let mut rows = lines.drain(..).filter(|line| !is_rule(line)).map(cells);
    let Some(header) = rows.next() else { return };
    let rows: Vec<Vec<String>> = rows.collect();
    let longest = longest_words(&header, &rows);
    // A frame of one column between cells and a space on both sides of each.
    let narrowest = longest.iter().map(|word| word + 3).sum::<usize>();
    if narrowest > usize::from(width) {
        for row in &rows {
            rendered.push_str(&record(&header, row, width));
        }
        return;
    }
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for (column, word) in table.column_iter_mut().zip(longest) {
        let word = u16::try_from(word).unwrap_or(width).saturating_add(2);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(word)));
    }
    rendered.push_str(&table.to_string());
    rendered.push('\n');
}

/// The width of each column's longest word, which cannot be broken.
fn longest_words(header: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let mut longest = vec![0; header.len()];
    for row in std::iter::once(header).chain(rows.iter().map(Vec::as_slice)) {
        for (widest, cell) in longest.iter_mut().zip(row) {
            let word = cell.split(' ').map(measure_text_width).max();
            *widest = (*widest).max(word.unwrap_or_default());
        }
    }
    longest
}

/// A row of a table that is too wide, as a list: its identifiers stay whole.
fn record(header: &[String], row: &[String], width: u16) -> String {
    let mut cells = header.iter().zip(row);
    let first = cells.next().map_or("", |(_, first)| first);
    let others: Vec<String> = cells
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(name, cell)| format!("{name} {cell}"))
        .collect();
    let lead = wrap(&format!("• {first}"), width, 2);
    let rest = wrap(&format!("    {}", others.join("; ")), width, 4);
    format!("{lead}\n{rest}\n")
}

/// Whether the line only separates a table's header from its rows.
fn is_rule(line: &&str) -> bool {
    line.chars()
        .all(|character| matches!(character, '|' | '-' | ':' | ' '))
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner
        .replace("\\|", "\u{1}")
        .split('|')
        .map(|cell| without_marks(cell.trim()).replace('\u{1}', "|"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "# Final report\n\nThe service is **healthy**, see `E3`.\n\n\
        | step | outcome |\n|---|---|\n| 1 | done |\n\n```diff\n- image: api:2\n+ image: api:1\n```\n\
        - a finding\n* another\nlone ` and ** stay\nname: prod-api:\\*\n";

    #[test]
    fn a_report_reads_well_without_colours() {
        insta::assert_snapshot!(terminal_document(REPORT, Palette::Plain, 60));
    }

    #[test]
    fn a_report_is_coloured_by_meaning() {
        let rendered = terminal_document(REPORT, Palette::Colours, 60);
        insta::assert_snapshot!(rendered.replace('\u{1b}', "ESC"));
    }

    #[test]
    fn a_table_that_is_too_wide_becomes_a_list() {
        let wide = "| id | call | request id |\n|---|---|---|\n\
            | E1 | ecs:DescribeServices | 01a20ac4-3acd-73b1-b5bb-17d91e2442be |\n";
        insta::assert_snapshot!(terminal_document(wide, Palette::Plain, 60));
    }

    #[test]
    fn a_report_cannot_steer_the_terminal() {
        let rendered = terminal_document("log: \u{1b}]0;owned\u{7}\n", Palette::Plain, 60);
        assert!(!rendered.contains('\u{1b}') && !rendered.contains('\u{7}'));
    }
}
