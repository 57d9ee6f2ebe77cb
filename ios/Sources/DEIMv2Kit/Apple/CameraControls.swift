#if canImport(UIKit) && !os(tvOS) && !os(visionOS) && !os(watchOS)
  import AVFoundation
  import SwiftUI

  /// The other camera, light and zoom, where there are such.
  struct CameraControls: View {
    let device: AVCaptureDevice
    @Binding var position: AVCaptureDevice.Position
    @State private var problem: String?
    @State private var isLit = false
    @State private var zoom: CGFloat = 1

    private static let mostZoom: CGFloat = 8

    var body: some View {
      VStack {
        HStack {
          Button("Other camera") { turn() }
          if device.hasTorch {
            Button(isLit ? "Light off" : "Light on") { light(!isLit) }
          }
        }
        .buttonStyle(.bordered)
        if zoomLimit > 1 {
          Slider(value: $zoom, in: 1...zoomLimit) { Text("Zoom") }
            .accessibilityValue(Double(zoom).formatted(.number.precision(.fractionLength(1))))
        }
        if let problem { Text(problem).font(.footnote) }
      }
      .padding()
      .onChange(of: zoom) { magnify(zoom) }
    }

    private var zoomLimit: CGFloat { min(device.activeFormat.videoMaxZoomFactor, Self.mostZoom) }

    /// Leaves this camera as it was found: `device` is the other one as soon as the position is.
    private func turn() {
      if isLit { light(false) }
      magnify(1)
      zoom = 1
      position = position == .back ? .front : .back
    }

    /// A mode that the device does not have would raise an exception, which ends the app; so would a zoom.
    private func light(_ on: Bool) {
      let mode: AVCaptureDevice.TorchMode = on ? .on : .off
      if device.hasTorch, device.isTorchModeSupported(mode) { change { $0.torchMode = mode } }
      isLit = device.torchMode == .on
    }

    private func magnify(_ factor: CGFloat) {
      change { $0.videoZoomFactor = max(1, min(factor, zoomLimit)) }
    }

    private func change(_ set: (AVCaptureDevice) -> Void) {
      do {
        try device.lockForConfiguration()
        set(device)
        device.unlockForConfiguration()
        problem = nil
      } catch {
        problem = error.localizedDescription
      }
    }
  }
#endif
