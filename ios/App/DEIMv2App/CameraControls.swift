import AVFoundation
import DEIMv2Kit
import SwiftUI

/// The other camera, light and zoom, where there are such.
struct CameraControls: View {
  @Environment(DetectorModel.self) private var model
  let device: AVCaptureDevice
  @Binding var position: AVCaptureDevice.Position
  @State private var isLit = false
  @State private var zoom: CGFloat = 1

  private static let mostZoom: CGFloat = 8

  var body: some View {
    VStack {
      HStack {
        Button("Other camera") { position = position == .back ? .front : .back }
        if device.hasTorch {
          Button(isLit ? "Light off" : "Light on") { isLit = !isLit }
        }
      }
      .buttonStyle(.bordered)
      if zoomLimit > 1 {
        Slider(value: $zoom, in: 1...zoomLimit) { Text("Zoom") }
          .accessibilityValue(Double(zoom).formatted(.number.precision(.fractionLength(1))))
      }
    }
    .padding()
    .onChange(of: isLit) { change { $0.torchMode = isLit ? .on : .off } }
    .onChange(of: zoom) { change { $0.videoZoomFactor = zoom } }
    .onChange(of: position) { (isLit, zoom) = (false, 1) }
  }

  private var zoomLimit: CGFloat { min(device.activeFormat.videoMaxZoomFactor, Self.mostZoom) }

  private func change(_ set: (AVCaptureDevice) -> Void) {
    do {
      try device.lockForConfiguration()
      set(device)
      device.unlockForConfiguration()
    } catch {
      model.show(error)
    }
  }
}
