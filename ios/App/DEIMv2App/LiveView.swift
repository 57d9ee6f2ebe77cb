import AVFoundation
import DEIMv2Kit
import SwiftUI
import UIKit

/// The camera's picture, its detections, and how long they take.
struct LiveView: View {
  @Environment(DetectorModel.self) private var model
  @Environment(\.openURL) private var openURL
  @State private var permission = AVCaptureDevice.authorizationStatus(for: .video)
  @State private var seen: Seen?
  @State private var position = AVCaptureDevice.Position.back
  @State private var stopped: String?  // why there are no more pictures
  @State private var interrupted: String?  // why there are none for now
  @State private var attempts = 0

  private struct Seen {
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
      if let reason = model.failure {
        NoModelView(reason: reason)
      } else if let stopped {
        ContentUnavailableView {
          Label("The camera view stopped", systemImage: "camera")
        } description: {
          Text(stopped)
        } actions: {
          Button("Try again") { attempts += 1 }.buttonStyle(.bordered)
        }
      } else if let seen {
        DetectionsView(image: seen.shot.image, found: seen.found)
        if let interrupted { Text(interrupted).font(.footnote) }
        Text(readOut(seen)).font(.footnote.monospacedDigit())
        ThresholdSlider()
        CameraControls(device: device, position: $position)
      } else {
        ProgressView(model.detector == nil ? "Loading the model" : "Starting the camera")
        if let interrupted { Text(interrupted).font(.footnote) }
      }
    }
    .frame(maxWidth: .infinity, maxHeight: .infinity)
    .task(id: [model.detector == nil ? 0 : model.openings, position.rawValue, attempts]) {
      await model.keepingAwake { await watch() }
    }
  }

  private func readOut(_ seen: Seen) -> String {
    let latency = seen.latencyMs.formatted(.number.precision(.fractionLength(1)))
    let rate = seen.framesPerSecond.formatted(.number.precision(.fractionLength(0)))
    let hot = ProcessInfo.processInfo.isHot ? ", slower until the phone has cooled" : ""
    return "\(latency) ms, \(rate) frames/s, \(model.detector?.processor ?? "")\(hot)"
  }

  /// Ends with its task, or after a second of frames that fail: one may, as on the way to the background.
  private func watch() async {
    (stopped, interrupted) = (nil, nil)
    guard let detector = model.detector else { return }
    var (rate, tracker, patience) = (FrameRate(), Tracker(), Patience(most: 30))
    do {
      let shots = try await Camera.shots(at: position, for: detector.manifest) { interrupted = $0 }
      for try await shot in shots {
        do {
          seen = try await detect(shot.get(), by: detector, &rate, &tracker)
          patience.renew()
        } catch {
          try patience.spend(on: error)
        }
        if ProcessInfo.processInfo.isHot { try await Task.sleep(for: .milliseconds(200)) }
      }
    } catch {
      if !Task.isCancelled { stopped = error.localizedDescription }
    }
  }

  private func detect(
    _ shot: Shot, by detector: any Detector, _ rate: inout FrameRate, _ tracker: inout Tracker
  ) async throws -> Seen {
    let clock = ContinuousClock()
    let start = clock.now
    let detections = try await detector.detect(shot.frame)
    let end = clock.now
    try Task.checkCancellation()
    return Seen(
      shot: shot,
      found: try named(detections, by: detector.manifest, &tracker),
      latencyMs: start.duration(to: end) / .milliseconds(1),
      framesPerSecond: rate.count(end))
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
