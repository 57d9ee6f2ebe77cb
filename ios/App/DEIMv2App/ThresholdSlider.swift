import SwiftUI

/// The score that a detection has to pass to be shown.
struct ThresholdSlider: View {
  @Environment(DetectorModel.self) private var model

  var body: some View {
    @Bindable var model = model
    let percent = model.threshold.formatted(.percent.precision(.fractionLength(0)))
    HStack {
      Text("Threshold \(percent)").font(.footnote.monospacedDigit())
      Slider(value: $model.threshold, in: 0...1) { Text("Threshold") }
        .accessibilityValue(percent)
    }
    .padding()
  }
}
