import DEIMv2Kit
import Foundation
import SwiftUI

/// **Check this phone**: does it show what the desktop shows? Replays the golden photographs.
struct CheckView: View {
  @Environment(DetectorModel.self) private var model
  @State private var report: ParityCheck.Report?
  @State private var running = false

  var body: some View {
    NavigationStack {
      List {
        Section {
          Button("Check this phone") { check(timed: false) }.disabled(running)
          Button("Check it and time it") { check(timed: true) }.disabled(running)
          if running { ProgressView("Checking") }
        } footer: {
          Text("Runs the model on photographs whose detections are known, on every processor.")
        }
        if let report {
          ForEach(report.rows.indices, id: \.self) { CheckRow(row: report.rows[$0]) }
          if let text = try? String(decoding: report.json(), as: UTF8.self) {
            ShareLink(item: text, subject: Text("DEIMv2 on this phone")) {
              Label("Share the result", systemImage: "square.and.arrow.up")
            }
          }
        }
      }
      .navigationTitle("Check this phone")
    }
  }

  private func check(timed: Bool) {
    running = true
    Task {
      await keepingAwake {
        do {
          report = try await model.check(timed: timed)
        } catch {
          model.show(error)
        }
      }
      running = false
    }
  }
}

struct CheckRow: View {
  let row: ParityCheck.Row

  var body: some View {
    Section(row.runsOn) {
      Label(
        row.passed ? "Pass" : "Fail",
        systemImage: row.passed ? "checkmark.circle.fill" : "xmark.octagon.fill"
      )
      .foregroundStyle(row.passed ? Color.green : Color.red)
      if let measured = row.measured, let limits = row.limits {
        LabeledContent("Matched", value: "\(measured.matched) of \(measured.counted)")
        let which = limits.within == 1 ? "worst" : "p\(Int(limits.within * 100))"
        let box = measured.boxPx.largest(within: limits.within)
        let score = measured.score.largest(within: limits.within)
        LabeledContent("Box, \(which)", value: "\(number(box)) px (\(number(limits.boxPx)))")
        LabeledContent("Score, \(which)", value: "\(number(score)) (\(number(limits.score)))")
        if let times = limits.worst {
          let (px, off) = (times * limits.boxPx, times * limits.score)
          LabeledContent("Box, worst", value: "\(number(measured.boxPx.worst)) px (\(number(px)))")
          LabeledContent("Score, worst", value: "\(number(measured.score.worst)) (\(number(off)))")
        }
      }
      if let ms = row.median { LabeledContent("Median", value: "\(number(ms)) ms") }
      if let timed = row.benchmark {
        let what = "\(timed.runs) frames of \(timed.frame)"
        LabeledContent("Picture, \(what)", value: both(timed.prepare))
        LabeledContent("Model, \(what)", value: both(timed.run))
        if let before = timed.heatBefore, let after = timed.heatAfter {
          LabeledContent("Heat", value: "\(before), then \(after)")
        }
      }
      if let operations = row.operations {
        let each = operations.sorted { $0.value > $1.value }.map { "\($0.value) \($0.key)" }
        LabeledContent("Operations", value: each.joined(separator: ", "))
      }
      ForEach(row.problems, id: \.self) { Text($0).font(.footnote) }
    }
    .accessibilityElement(children: .combine)
  }

  private func both(_ latency: Latency) -> String {
    "\(number(latency.p50)) ms, p95 \(number(latency.p95))"
  }

  private func number(_ value: Double) -> String {
    value.formatted(.number.precision(.significantDigits(1...3)))
  }
}
