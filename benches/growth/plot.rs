//! Lines over a logarithmic axis, in colours that can be read on a light page and on a dark one.

use std::fmt::Write;

use super::cluster::Figures;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-weight:600}\
    path{fill:none;stroke:#8c959f}.grid{stroke-opacity:.3}.here{stroke:#0969da;stroke-width:2}\
    .there{stroke:#bc4c00;stroke-width:2}text.here{fill:#0969da;stroke:none}text.there{fill:#bc4c00;stroke:none}\
    @media(prefers-color-scheme:dark){text{fill:#9198a1}.here{stroke:#4493f8}.there{stroke:#f0883e}\
    text.here{fill:#4493f8}text.there{fill:#f0883e}}";

const PANEL: (f64, f64) = (330.0, 230.0);
const COLUMNS: usize = 3;
/// Where lines are, in a panel.
const AREA: (f64, f64, f64, f64) = (52.0, 62.0, 250.0, 124.0);
const TOP: f64 = 30.0;

/// A line's name, its class, and what it shows.
type Line = (&'static str, &'static str, fn(&Figures) -> f64);

struct Panel<'a> {
    title: &'static str,
    axis: &'static str,
    figures: &'a [Figures],
    x: fn(&Figures) -> f64,
    lines: Vec<Line>,
}

/// The whole picture.
pub(super) fn draw(rooms: &[Figures], nodes: &[Figures]) -> String {
    let by_room = |title, lines| {
        let x: fn(&Figures) -> f64 = |it| it.scale.room as f64;
        Panel { title, axis: "members of a room, on 10 nodes", figures: rooms, x, lines }
    };
    let by_node = |title, lines| {
        let x: fn(&Figures) -> f64 = |it| it.scale.nodes as f64;
        Panel { title, axis: "nodes of 10,000 sessions each", figures: nodes, x, lines }
    };
    let moves: fn() -> Vec<Line> = || {
        vec![
            ("come, here", "here", |it| it.come[0] * 1e6),
            ("go, here", "here", |it| it.go[0] * 1e6),
            ("come, elsewhere", "there", |it| it.come[1] * 1e6),
            ("go, elsewhere", "there", |it| it.go[1] * 1e6),
        ]
    };
    let say: fn() -> Vec<Line> =
        || vec![("here", "here", |it| it.say[0] * 1e6), ("on each it reaches", "there", |it| it.say[1] * 1e6)];
    let say_and_tell = || {
        let tell: Line = ("to tell the members on one", "there", |it| it.deliver * 1e6);
        say().into_iter().chain([tell]).collect()
    };
    let panels = [
        by_room("To come and to go, µs", moves()),
        by_room("To say something, µs", say_and_tell()),
        by_room("Nodes that hear it", vec![("others", "there", |it| it.reached)]),
        by_node("To come and to go, µs", moves()),
        by_node("To say something, µs", say()),
        by_node("Memory of one node's hub, MB", vec![("all sessions", "here", |it| it.node_bytes() / 1e6)]),
    ];
    let (width, height) = (PANEL.0 * COLUMNS as f64, TOP + PANEL.1 * (panels.len() as f64 / COLUMNS as f64).ceil());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"How the cost of several nodes grows\">\n<style>{STYLE}</style>\n\
         <text x=\"8\" y=\"18\" class=\"title\">Simulated: hubs on a network that costs nothing; both axes logarithmic</text>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let (column, row) = ((index % COLUMNS) as f64, (index / COLUMNS) as f64);
        panel.draw(&mut svg, PANEL.0 * column, TOP + PANEL.1 * row);
    }
    svg + "</svg>\n"
}

impl Panel<'_> {
    fn draw(&self, svg: &mut String, left: f64, top: f64) {
        let values = || self.lines.iter().flat_map(|(_, _, of)| self.figures.iter().map(of));
        let low = values().fold(f64::INFINITY, f64::min).log10().floor();
        let high = values().fold(0.0, f64::max).log10().ceil().max(low + 1.0);
        let xs: Vec<f64> = self.figures.iter().map(|it| (self.x)(it)).collect();
        let (first, last) = (xs[0].log10(), xs[xs.len() - 1].log10());
        let (area_x, area_y, width, height) = (left + AREA.0, top + AREA.1, AREA.2, AREA.3);
        let x_of = |x: f64| area_x + width * (x.log10() - first) / (last - first);
        let y_of = |y: f64| area_y + height * (high - y.log10()) / (high - low);
        write_text(svg, left + 8.0, top + 18.0, "class=\"title\"", self.title);
        write_text(svg, area_x + width / 2.0, area_y + height + 34.0, "text-anchor=\"middle\"", self.axis);
        for (index, (name, class, _)) in self.lines.iter().enumerate() {
            let (x, y) = (left + 8.0 + 160.0 * (index / 2) as f64, top + 33.0 + 13.0 * (index % 2) as f64);
            let dash = if index % 2 == 1 && self.lines.len() > 2 { " (dashed)" } else { "" };
            write_text(svg, x, y, &format!("class=\"{class}\""), &format!("{name}{dash}"));
        }
        for &x in &xs {
            write_text(svg, x_of(x), area_y + height + 16.0, "text-anchor=\"middle\" font-size=\"10\"", &short(x));
        }
        for decade in low as i32..=high as i32 {
            let value = 10_f64.powi(decade);
            write_text(svg, area_x - 6.0, y_of(value) + 4.0, "text-anchor=\"end\" font-size=\"10\"", &short(value));
            writeln!(svg, "<path class=\"grid\" d=\"M{area_x:.1} {:.1}h{width}\"/>", y_of(value)).unwrap();
        }
        for (index, (_, class, of)) in self.lines.iter().enumerate() {
            let points = self.figures.iter().zip(&xs).map(|(it, &x)| format!("{:.1} {:.1}", x_of(x), y_of(of(it))));
            let path = points.collect::<Vec<_>>().join("L");
            let dash = if index % 2 == 1 && self.lines.len() > 2 { " stroke-dasharray=\"5 4\"" } else { "" };
            writeln!(svg, "<path class=\"{class}\"{dash} d=\"M{path}\"/>").unwrap();
        }
    }
}

fn write_text(svg: &mut String, x: f64, y: f64, rest: &str, text: &str) {
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {rest}>{text}</text>").unwrap();
}

fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{}M", value / 1e6),
        _ if value >= 1e3 => format!("{}k", value / 1e3),
        _ => format!("{value}"),
    }
}
