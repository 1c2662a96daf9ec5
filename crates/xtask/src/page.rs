//! Pages of which commands write parts, each between `<!-- name -->` and `<!-- /name -->`.

use anyhow::Context as _;

/// What benches write.
pub(crate) const PERFORMANCE: &str = "docs/performance.md";

/// Its part that is about many rows.
pub(crate) const SCALE: &str = "scale";

/// What stands in a part.
pub(crate) fn part<'a>(page: &'a str, name: &str) -> anyhow::Result<&'a str> {
    Ok(split(page, name)?.1)
}

/// The page with something else in that part: whole lines.
pub(crate) fn with_part(page: &str, name: &str, content: &str) -> anyhow::Result<String> {
    let (before, _, after) = split(page, name)?;
    Ok([before, content, after].concat())
}

/// Before, within and after, the marks not within.
fn split<'a>(page: &'a str, name: &str) -> anyhow::Result<(&'a str, &'a str, &'a str)> {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = page
        .find(&start)
        .with_context(|| format!("no {start}"))?
        .saturating_add(start.len());
    let (before, rest) = page.split_at(from);
    let (content, after) = rest.split_at(rest.find(&end).with_context(|| format!("no {end}"))?);
    Ok((before, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_changes_and_the_rest_stays() {
        let page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n";
        assert_eq!(part(page, "x").unwrap(), "old\n");
        assert_eq!(part(page, "y").unwrap(), "");
        let changed = with_part(page, "x", "new\n").unwrap();
        assert_eq!(changed, page.replace("old", "new"));
        assert!(with_part(page, "z", "").is_err());
        assert!(part("<!-- /x -->\n<!-- x -->\n", "x").is_err());
    }
}
