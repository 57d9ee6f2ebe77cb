import AVFoundation
import DEIMv2Kit
import SwiftUI
import UIKit

/// The camera's picture, its detections, and how long they take.
struct LiveView: View {
  @Environment(DetectorModel.self) private var model
  @Environment(\.openURL) private var openURL
  @State private var permission = AVCaptureDevice.authorizationStatus(for: .video)
  @State private var result: Result?
  @State private var position = AVCaptureDevice.Position.back

  private struct Result {
    let shot: Shot
    let found: [DetectionsView.Named]
    let latencyMs: Double
    let framesPerSecond: Double
  }

  var body: some View {
    NavigationStack {
      content
        .navigationTitle("Camera")
    }
  }

  @ViewBuilder private var content: some View {
    if let device = Camera.device(at: position) {
      switch permission {
      case .authorized: live(device)
      case .notDetermined:
        ContentUnavailableView {
          Label("Use the camera?", systemImage: "camera")
        } description: {
          Text("Frames are looked at on this device and never leave it.")
        } actions: {
          Button("Continue") { ask() }.buttonStyle(.borderedProminent)
        }
      default:
        ContentUnavailableView {
          Label("The camera is off", systemImage: "camera.badge.ellipsis")
        } description: {
          Text("Allow it in Settings, or choose a photo instead.")
        } actions: {
          Button("Open Settings") { openSettings() }.buttonStyle(.bordered)
        }
      }
    } else {
      ContentUnavailableView(
        "No camera here", systemImage: "camera", description: Text("Choose a photo instead."))
    }
  }

  private func live(_ device: AVCaptureDevice) -> some View {
    VStack {
      if let result {
        DetectionsView(image: result.shot.image, found: result.found)
        Text(readOut(result)).font(.footnote.monospacedDigit())
        ThresholdSlider()
        CameraControls(device: device, position: $position)
      } else {
        ProgressView(model.detector == nil ? "Loading the model" : "Starting the camera")
      }
    }
    .frame(maxWidth: .infinity, maxHeight: .infinity)
    .task(id: model.detector.map { "\($0.artifact) \($0.processor) \(position.rawValue)" }) {
      UIApplication.shared.isIdleTimerDisabled = true  // the screen stays on
      await watch(device)
      UIApplication.shared.isIdleTimerDisabled = false
    }
  }

  private func readOut(_ result: Result) -> String {
    let latency = result.latencyMs.formatted(.number.precision(.fractionLength(1)))
    let rate = result.framesPerSecond.formatted(.number.precision(.fractionLength(0)))
    let hot = ProcessInfo.processInfo.isHot ? ", slower until the phone has cooled" : ""
    return "\(latency) ms, \(rate) frames/s, \(model.detector?.processor ?? "")\(hot)"
  }

  private func watch(_ device: AVCaptureDevice) async {
    guard let detector = model.detector else { return }
    do {
      let clock = ContinuousClock()
      var (rate, tracker) = (FrameRate(), Tracker())
      for try await shot in try Camera.shots(from: device, for: detector.manifest) {
        let start = clock.now
        let detections = try await detector.detect(shot.frame)
        let end = clock.now
        result = Result(
          shot: shot,
          found: try named(detections, by: detector.manifest, &tracker),
          latencyMs: start.duration(to: end) / .milliseconds(1),
          framesPerSecond: rate.count(end))
        if ProcessInfo.processInfo.isHot { try await Task.sleep(for: .milliseconds(200)) }
      }
    } catch {
      model.show(error)
    }
  }

  private func named(
    _ detections: [Detection], by manifest: Manifest, _ tracker: inout Tracker
  ) throws -> [DetectionsView.Named] {
    guard model.followsObjects else {
      tracker = Tracker()
      return try DetectionsView.named(detections, above: model.threshold, by: manifest)
    }
    let ids = tracker.update(detections, threshold: model.threshold)
    return try DetectionsView.named(detections, ids: ids, by: manifest)
  }

  private func ask() {
    Task {
      _ = await AVCaptureDevice.requestAccess(for: .video)
      permission = AVCaptureDevice.authorizationStatus(for: .video)
    }
  }

  private func openSettings() {
    if let url = URL(string: UIApplication.openSettingsURLString) { openURL(url) }
  }
}

extension ProcessInfo {
  /// The system slows everything down soon, if this goes on.
  var isHot: Bool { [.serious, .critical].contains(thermalState) }
}
