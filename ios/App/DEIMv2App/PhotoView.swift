import CoreGraphics
import DEIMv2Kit
import PhotosUI
import SwiftUI

/// One photo of the user's library; needs no permission, since the system's picker hands it over.
struct PhotoView: View {
  @Environment(DetectorModel.self) private var model
  @State private var item: PhotosPickerItem?
  @State private var image: CGImage?
  @State private var detections: [Detection] = []
  @State private var looked: [AnyHashable] = []  // at what, by which model

  var body: some View {
    NavigationStack {
      Group {
        if let reason = model.failure {
          NoModelView(reason: reason)
        } else if let image {
          VStack {
            DetectionsView(image: image, found: named)
            ThresholdSlider()
            ShareLink(
              item: SharedPicture(image: image, found: named), preview: SharePreview("Detections")
            ) {
              Label("Save or share", systemImage: "square.and.arrow.up")
            }
          }
        } else if item != nil {
          ProgressView(model.detector == nil ? "Loading the model" : "Loading the photo")
        } else {
          ContentUnavailableView(
            "No photo yet", systemImage: "photo",
            description: Text("Choose one with the button above."))
        }
      }
      .navigationTitle("Photo")
      .toolbar {
        ToolbarItem(placement: .topBarTrailing) {
          PhotosPicker(selection: $item, matching: .images) {
            Label("Choose a photo", systemImage: "photo.badge.plus")
          }
        }
      }
      .task(id: subject) { await look() }
    }
  }

  private var subject: [AnyHashable] { [AnyHashable(item), AnyHashable(model.openings)] }

  private var named: [DetectionsView.Named] {
    guard let manifest = model.detector?.manifest else { return [] }
    let shown = try? DetectionsView.named(detections, above: model.threshold, by: manifest)
    return shown ?? []
  }

  private func look() async {
    guard let item, let detector = model.detector, subject != looked else { return }
    let looking = subject
    detections = []  // of another model
    do {
      guard let data = try await item.loadTransferable(type: Data.self) else {
        throw DEIMv2Error.image(reason: "the library gives no photo")
      }
      let photo = try await prepared(data, for: detector.manifest)
      let found = try await detector.detect(photo.frame)
      try Task.checkCancellation()
      detections = found
      image = photo.image
      looked = looking
    } catch {
      if Task.isCancelled { return }  // another photo was chosen, or another model
      self.item = nil  // may be chosen again
      model.show(error)
    }
  }

  private struct Prepared: @unchecked Sendable {  // a CGImage never changes
    let image: CGImage
    let frame: Frame
  }

  /// Not on the main thread: a photo may have 48 megapixels.
  private nonisolated func prepared(_ data: Data, for manifest: Manifest) async throws -> Prepared {
    let photo = try uprightImage(data)
    return Prepared(image: photo, frame: try Preprocessor(manifest).frame(photo))
  }
}
