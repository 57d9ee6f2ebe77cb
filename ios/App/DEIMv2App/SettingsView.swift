import DEIMv2Kit
import SwiftUI

/// Which model, by which runtime, on which processor.
struct SettingsView: View {
  @Environment(DetectorModel.self) private var model

  var body: some View {
    @Bindable var model = model
    NavigationStack {
      Form {
        Section("Model") {
          Picker("Model", selection: $model.choice.export) {
            Text(model.exports.first?.lastPathComponent ?? "None").tag(URL?.none)
            ForEach(model.exports.dropFirst(), id: \.self) { folder in
              Text(folder.lastPathComponent).tag(URL?.some(folder))
            }
          }
          Picker("Runtime", selection: $model.choice.runtime) {
            ForEach(DetectorModel.Runtime.allCases) { Text($0.rawValue).tag($0) }
          }
          if model.choice.runtime == .coreML {
            Picker("Processor", selection: $model.choice.units) {
              Text("Fastest that passes").tag(ComputeUnits?.none)
              ForEach(ComputeUnits.allCases, id: \.self) { units in
                Text(units.title).tag(ComputeUnits?.some(units))
              }
            }
          }
          if model.opening {
            ProgressView("Loading the model")
          } else {
            LabeledContent("Runs on", value: model.detector?.processor ?? "nothing")
            if let detector = model.detector {
              LabeledContent("File", value: described(detector))
            }
          }
        }
        Section("Camera") {
          Toggle("Follow objects from frame to frame", isOn: $model.followsObjects)
        }
      }
      .navigationTitle("Settings")
    }
  }

  /// Precision, size and memory.
  private func described(_ detector: any Detector) -> String {
    let manifest = detector.manifest
    guard let file = manifest.files.first(where: { $0.name == detector.artifact }) else {
      return detector.artifact
    }
    let size = (Double(file.size) / 1e6).formatted(.number.precision(.fractionLength(1)))
    let memory = manifest.memoryMB(of: file).map {
      ", takes about \($0.formatted(.number.precision(.fractionLength(0)))) MB of memory"
    }
    return "\(file.name), \(manifest.precision.rawValue), \(size) MB\(memory ?? "")"
  }
}
