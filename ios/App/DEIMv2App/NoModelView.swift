import SwiftUI

/// In place of pictures, where no model could be opened.
struct NoModelView: View {
  let reason: String

  var body: some View {
    ContentUnavailableView(
      "No model is open", systemImage: "exclamationmark.triangle", description: Text(reason))
  }
}
