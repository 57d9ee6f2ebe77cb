import DEIMv2Kit
import Foundation
import SwiftUI

/// The camera's picture, its detections, and how long they take.
struct LiveView: View {
  @Environment(DetectorModel.self) private var model
  @State private var seen: CameraView.Seen?

  var body: some View {
    NavigationStack {
      Group {
        if let reason = model.failure {
          NoModelView(reason: reason)
        } else if let detector = model.detector {
          VStack {
            CameraView(
              detector, threshold: model.threshold, followsObjects: model.followsObjects
            ) { seen = $0 }
            if let seen { Text(readOut(seen, detector)).font(.footnote.monospacedDigit()) }
            ThresholdSlider()
          }
        } else {
          ProgressView("Loading the model")
        }
      }
      .navigationTitle("Camera")
    }
  }

  private func readOut(_ seen: CameraView.Seen, _ detector: any Detector) -> String {
    let latency = seen.latencyMs.formatted(.number.precision(.fractionLength(1)))
    let rate = seen.framesPerSecond.formatted(.number.precision(.fractionLength(0)))
    let hot = ProcessInfo.processInfo.isHot ? ", slower until the phone has cooled" : ""
    return "\(latency) ms, \(rate) frames/s, \(detector.processor)\(hot)"
  }
}
